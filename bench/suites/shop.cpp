#include "bench/suites/shop.hpp"

#include <sys/socket.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "bench/harness/socket.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr auto kPatience = 60s;

std::string text_between(const std::string& text, const std::string& begin, const std::string& end) {
    const auto from = text.find(begin);
    if (from == std::string::npos) throw std::runtime_error("no " + begin + " in: " + text);
    return text.substr(from + begin.size(), text.find(end, from + begin.size()) - from - begin.size());
}

/// XADD of an event, as the services' own bus driver writes it.
std::string add_command(const std::string& topic, const std::string& producer, std::int64_t sequence) {
    const auto id = fmt::format("{}-{}", producer, sequence);
    const std::vector<std::string> words{
        "XADD",
        "flotilla:{" + topic + "}:0",
        "*",
        "specversion",
        "1.0",
        "id",
        id,
        "source",
        producer,
        "type",
        topic,
        "time",
        "2026-01-01T00:00:00Z",
        "key",
        id,
        "partition",
        "0",
        "sequence",
        std::to_string(sequence),
        "data",
        fmt::format(R"({{"userId":"{}","email":"ada@example.com","name":"Ada"}})", id)};
    auto command = fmt::format("*{}\r\n", words.size());
    for (const auto& word : words)
        command += fmt::format("${}\r\n{}\r\n", word.size(), word);
    return command;
}

} // namespace

Hub start_hub(const Setting& setting, const fs::path& folder, int core) {
    Hub hub;
    fs::create_directories(folder);
    hub.process = std::make_unique<ServerProcess>(ServerCommand{
        .arguments = {setting.programs / "flotilla-hub", "--data", folder, "--http-port", std::to_string(hub.http),
                      "--redis-port", std::to_string(hub.redis), "--smtp-port", std::to_string(hub.smtp)},
        .folder = folder,
        .name = "hub",
        .core = core});
    for (const auto port : {hub.http, hub.redis, hub.smtp})
        hub.process->await_port(port);
    return hub;
}

Program start_service(const Setting& setting, const std::string& name, const fs::path& folder, const Hub& hub, int core,
                      std::vector<std::string> more) {
    Program service{.process = nullptr, .port = free_port()};
    ServerCommand command{.arguments = {setting.programs / (name + "-service"), "--port", std::to_string(service.port),
                                        "--data", folder, "--registry", fmt::format("consul://127.0.0.1:{}", hub.http),
                                        "--bus", fmt::format("redis://127.0.0.1:{}", hub.redis), "--log-format",
                                        "json"},
                          .folder = folder,
                          .name = name,
                          .core = core};
    command.arguments.insert(command.arguments.end(), more.begin(), more.end());
    fs::create_directories(folder);
    service.process = std::make_unique<ServerProcess>(std::move(command));
    service.process->await_port(service.port);
    return service;
}

fs::path database_of(const fs::path& folder, const std::string& service) {
    return folder / service / (service + "-service.db");
}

void until(const std::string& what, const std::function<bool()>& condition) {
    for (const auto end = Clock::now() + kPatience; !condition(); std::this_thread::sleep_for(10ms)) {
        check_interrupted();
        if (Clock::now() > end) throw std::runtime_error("waited in vain for " + what);
    }
}

double counted(std::uint16_t port, const std::string& series) {
    const auto text = http_exchange(port, "GET", "/metrics").body;
    double sum = 0;
    for (auto at = text.find("\n" + series); at != std::string::npos; at = text.find("\n" + series, at + 1)) {
        const auto line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
        sum += std::stod(line.substr(line.rfind(' ') + 1));
    }
    return sum;
}

std::string sail_once(const Setting& setting, const fs::path& folder) {
    const auto hub = start_hub(setting, folder / "hub", kLoadCore);
    const auto start = [&](const std::string& name, std::vector<std::string> more = {}) {
        return start_service(setting, name, folder / name, hub, kLoadCore, std::move(more));
    };
    const auto notification = start("notification", {"--set", fmt::format("smtp=smtp://127.0.0.1:{}", hub.smtp)});
    const auto users = start("user");
    const auto products = start("product");
    const auto orders = start("order");
    const auto user = http_exchange(users.port, "POST", "/users", R"({"email":"ada@example.com","name":"Ada"})",
                                    "Idempotency-Key: first\r\n");
    const auto id = text_between(user.body, R"("id":")", "\"");
    until("an order", [&] { return http_status(orders.port, "POST", "/orders", order_of(id)) == 201; });
    until("a mail", [&] { return counted(notification.port, "flotilla_jobs_tries_total{") >= 1; });
    for (const auto port : {users.port, orders.port})
        until("its event", [&] { return counted(port, "flotilla_outbox_published_total") >= 1; });
    return id;
}

void add_events(const Hub& hub, const std::string& topic, const std::string& producer, std::int64_t first,
                std::int64_t amount) {
    constexpr std::int64_t kAtOnce = 500;
    const auto socket = Socket::connect(hub.redis);
    if (!socket) throw std::runtime_error(hub.process->complaint("refused a connection"));
    for (std::int64_t sent = 0; sent < amount; sent += kAtOnce) {
        const auto some = std::min(kAtOnce, amount - sent);
        std::string commands;
        for (std::int64_t i = 0; i < some; ++i)
            commands += add_command(topic, producer, first + sent + i);
        if (::send(socket->descriptor(), commands.data(), commands.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(commands.size())) {
            throw std::runtime_error(hub.process->complaint("takes no events"));
        }
        std::string answers; // "$15\r\n1700000000000-0\r\n" each
        while (std::ranges::count(answers, '\n') < 2 * some) {
            std::array<char, 16 * 1024> buffer{};
            const auto size = ::recv(socket->descriptor(), buffer.data(), buffer.size(), 0);
            if (size > 0) answers.append(buffer.data(), static_cast<std::size_t>(size));
            if (size <= 0 || answers.contains('-' == answers[0] ? "-" : "\n-"))
                throw std::runtime_error(hub.process->complaint("takes no events: " + answers));
        }
    }
}

std::string order_of(const std::string& user) {
    return fmt::format(R"({{"userId":"{}","items":[{{"productId":"p-0001","quantity":1}}]}})", user);
}

} // namespace flotilla::bench
