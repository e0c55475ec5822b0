// The whole shop beside the system of services that the requirements show on Node: what a request costs all processes
// together, and what memory they take. Theirs keeps everything in memory and mails to standard output.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <vector>

#include "bench/harness/socket.hpp"
#include "bench/suites/node_peer.hpp"
#include "bench/suites/shop.hpp"

namespace flotilla::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kConnections = 16;
constexpr double kTargetOfNode = 0.1;
constexpr double kTargetOfSaga = 0.5;
constexpr double kMegabytesMax = 150;
constexpr const char* kServices[] = {"user",     "product",      "order", "inventory", "payment",
                                     "shipping", "notification", "post",  "comment"};
/// Who has nothing to do with an answer, but only with what follows it.
constexpr std::string_view kFollowing[] = {"inventory", "payment", "shipping", "notification"};

/// All processes of a shop, and where it is asked.
struct System {
    std::string name;
    std::uint16_t gateway = free_port();
    std::vector<std::unique_ptr<ServerProcess>> processes = {}; ///< the gateway first
    std::string buyer = {}, reader = {};                        ///< users: one orders, one has one order

    std::vector<const ServerProcess*> all() const {
        std::vector<const ServerProcess*> all;
        for (const auto& process : processes)
            all.push_back(process.get());
        return all;
    }
    /// SIGSTOP or SIGCONT to those who have only to do with what follows an answer.
    void signal_following(int number) const {
        for (const auto& process : processes) {
            if (std::ranges::find(kFollowing, process->name()) != std::end(kFollowing)) process->signal(number);
        }
    }
    double megabytes() const {
        double sum = 0;
        for (const auto& process : processes)
            sum += static_cast<double>(process->proportional_bytes()) / 1e6;
        return sum;
    }
};

std::string user_of(const std::string& email) { return fmt::format(R"({{"email":"{}","name":"Ada"}})", email); }

/// Both systems take this; ours ignores the price, theirs has no other.
std::string lamp_for(const std::string& user) {
    return fmt::format(R"({{"userId":"{}","items":[{{"productId":"p-0001","quantity":1,"price":19.99}}]}})", user);
}

std::string new_user(const System& system, const std::string& email) {
    HttpAnswer answer;
    until("a user", [&] {
        answer = http_exchange(system.gateway, "POST", "/api/users", user_of(email));
        return answer.status == 201;
    });
    const auto at = answer.body.find(R"("id":")") + 6;
    return answer.body.substr(at, answer.body.find('"', at) - at);
}

void open_shop(System& system) {
    system.buyer = new_user(system, "ada@example.com");
    system.reader = new_user(system, "grace@example.com");
    until("an order",
          [&] { return http_status(system.gateway, "POST", "/api/orders", lamp_for(system.reader)) == 201; });
}

System our_shop(const Setting& setting, const fs::path& folder) {
    System ours{.name = "flotilla"};
    auto hub = start_hub(setting, folder / "hub", kMeasuredCore);
    const auto registry = fmt::format("consul://127.0.0.1:{}", hub.http);
    ours.processes.push_back(std::make_unique<ServerProcess>(
        ServerCommand{.arguments = {setting.programs / "flotilla-gateway", "--config", setting.shop / "gateway.yaml",
                                    "--port", std::to_string(ours.gateway), "--registry", registry, "--data",
                                    folder / "gateway", "--log-format", "json"},
                      .folder = folder,
                      .name = "gateway"}));
    for (const std::string name : kServices) {
        std::vector<std::string> more;
        if (name == "inventory") more = {"--set", "initial_stock=1000000"};
        if (name == "notification") more = {"--set", fmt::format("smtp=smtp://127.0.0.1:{}", hub.smtp)};
        ours.processes.push_back(
            std::move(start_service(setting, name, folder / name, hub, kMeasuredCore, std::move(more)).process));
    }
    ours.processes.push_back(std::move(hub.process));
    ours.processes.front()->await_port(ours.gateway);
    open_shop(ours);
    return ours;
}

std::optional<System> node_shop(const Setting& setting, const fs::path& folder) {
    const auto redis = find_program("redis-server");
    if (!redis) {
        note_skipped("requirements-node", "there is no redis-server: apt-get install redis-server");
        return {};
    }
    const auto peer = install_node_peer(setting, "requirements-node");
    if (!peer) return {};
    System theirs{.name = "requirements-node"};
    const auto start = [&](const std::string& name, std::vector<std::string> arguments, std::uint16_t port) {
        theirs.processes.push_back(
            std::make_unique<ServerProcess>(ServerCommand{.arguments = std::move(arguments),
                                                          .folder = folder,
                                                          .name = name,
                                                          .environment = {{"NODE_ENV", "production"}}}));
        if (port != 0) theirs.processes.back()->await_port(port);
    };
    const auto node = [&](const std::string& name, std::vector<std::string> arguments, std::uint16_t port) {
        arguments.insert(arguments.begin(), {peer->node, peer->folder / (name + ".js")});
        start(name, std::move(arguments), port);
    };
    const auto url = [](const char* scheme, std::uint16_t port) {
        return fmt::format("{}://127.0.0.1:{}", scheme, port);
    };
    const std::uint16_t bus = free_port(), users = free_port(), products = free_port(), orders = free_port();
    fs::create_directories(folder / "redis");
    start("redis",
          {*redis, "--bind", "127.0.0.1", "--port", std::to_string(bus), "--dir", folder / "redis", "--save", ""}, bus);
    node("user", {std::to_string(users), url("redis", bus)}, users);
    node("product", {std::to_string(products)}, products);
    node("order", {std::to_string(orders), url("redis", bus), url("http", users), url("http", products)}, orders);
    node("notification", {url("redis", bus)}, 0);
    node("gateway", {std::to_string(theirs.gateway), url("http", users), url("http", orders)}, theirs.gateway);
    std::swap(theirs.processes.front(), theirs.processes.back());
    open_shop(theirs);
    return theirs;
}

/// What of a request is counted.
enum class Counted : std::uint8_t { answer, until_answer, and_what_follows };

/// What both are asked.
struct Request {
    const char* what;
    std::string method, path, body;
    Counted counted = Counted::answer;
    double target = kTargetOfNode;
};

std::vector<Request> requests_to(const System& system) {
    const auto user = user_of(fmt::format("{}@example.com", kUnique));
    const auto order = lamp_for(system.buyer);
    return {{"get user", "GET", "/api/users/" + system.reader, ""},
            {"create user, until its 201", "POST", "/api/users", user, Counted::until_answer},
            {"create user, and its mail", "POST", "/api/users", user, Counted::and_what_follows, 0},
            {"create order, until its 201", "POST", "/api/orders", order, Counted::until_answer},
            {"create order, its saga and mail", "POST", "/api/orders", order, Counted::and_what_follows, kTargetOfSaga},
            {"dashboard", "GET", "/api/users/" + system.reader + "/dashboard", ""}};
}

Measurement ask(const System& system, std::size_t number, const Setting& setting) {
    const auto request = requests_to(system)[number];
    Load load{.port = system.gateway,
              .connections = kConnections,
              .request =
                  fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", request.method, request.path, system.gateway),
              .seconds = setting.seconds,
              .and_what_follows = request.counted == Counted::and_what_follows};
    if (!request.body.empty()) {
        load.request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", request.body.size());
    }
    load.request += "\r\n" + request.body;
    const auto all = system.all();
    if (request.counted != Counted::until_answer) return measure(all, load);
    system.signal_following(SIGSTOP);
    const auto measured = measure(all, load);
    system.signal_following(SIGCONT);
    await_quiet(all);
    return measured;
}

} // namespace

std::vector<Row> bench_shop(const Setting& setting) {
    const TemporaryFolder folder(setting.data);
    const auto ours = our_shop(setting, folder.path() / "flotilla");
    const auto theirs = node_shop(setting, folder.path() / "node");
    std::vector<Row> rows;
    const auto add = [&](std::string what, double our, const char* unit, std::optional<double> their,
                         std::optional<double> target, Wanted wanted = Wanted::at_most) {
        rows.push_back({.bench = "shop",
                        .what = std::move(what),
                        .ours = our,
                        .unit = unit,
                        .peer = "requirements-node",
                        .peer_value = their,
                        .target = target,
                        .wanted = wanted});
    };
    const auto requests = requests_to(ours);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        std::vector<Contender> contenders{{.name = "flotilla", .measure = [&] { return ask(ours, i, setting); }}};
        if (theirs) contenders.push_back({.name = theirs->name, .measure = [&] { return ask(*theirs, i, setting); }});
        const auto medians = contest(contenders, setting.rounds);
        const auto of_node = [&](double Measurement::* figure) {
            return theirs ? std::optional(medians[1].*figure) : std::nullopt;
        };
        const std::string what = requests[i].what;
        add(what + ", CPU of all", medians[0].cpu_us, "µs/request", of_node(&Measurement::cpu_us),
            requests[i].target > 0 ? std::optional(requests[i].target) : std::nullopt);
        add(what, medians[0].per_second, "requests/s", of_node(&Measurement::per_second), {}, Wanted::at_least);
    }
    add("memory of all (PSS)", ours.megabytes(), "MB", theirs ? std::optional(theirs->megabytes()) : std::nullopt, {});
    rows.push_back({.bench = "shop",
                    .what = "memory of all (PSS)",
                    .ours = rows.back().ours,
                    .unit = "MB",
                    .peer = "limit",
                    .peer_value = kMegabytesMax,
                    .target = 1});
    return rows;
}

} // namespace flotilla::bench
