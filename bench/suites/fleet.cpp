#include "bench/suites/fleet.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "bench/harness/socket.hpp"
#include "bench/suites/shop.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = 100ms;

std::size_t occurrences(const std::string& text, std::string_view what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++count;
    return count;
}

} // namespace

std::vector<CallMade> between(std::vector<CallMade> calls, MonotonicTime begin, MonotonicTime end) {
    std::erase_if(calls, [&](const CallMade& call) { return call.due < begin || call.due > end; });
    return calls;
}

double success(const std::vector<CallMade>& calls) {
    if (calls.empty()) throw std::runtime_error("no call has ended");
    return 100 * static_cast<double>(std::ranges::count_if(calls, &CallMade::ok)) / static_cast<double>(calls.size());
}

void note(std::string_view when, std::string_view kind, const std::vector<CallMade>& calls) {
    std::map<std::string, std::size_t> outcomes;
    double longest = 0;
    for (const auto& call : calls) {
        ++outcomes[call.outcome];
        longest = std::max(longest, call.ms);
    }
    std::string text;
    for (const auto& [outcome, count] : outcomes)
        text += fmt::format(" {} {},", count, outcome);
    std::fprintf(stderr, "  %s, %s:%s longest %.0f ms\n", std::string(when).c_str(), std::string(kind).c_str(),
                 text.c_str(), longest);
}

Fleet::Fleet(const Setting& setting, std::filesystem::path folder, const FleetSetup& setup)
    : setting_(setting), folder_(std::move(folder)), setup_(setup), hub_port_(free_port()) {
    std::filesystem::create_directories(folder_);
    start_hub();
    for (int i = 0; i < setup.instances; ++i) {
        const bool own_address = setup.network != nullptr && i == 0;
        if (own_address) setup.network->add_address(kOwnAddress);
        instances_.push_back(start_instance("last-hop", i, own_address ? kOwnAddress : "127.0.0.1"));
    }
    await_registered("last-hop", instances_.size());
    if (setup.chain) start_chain();
}

/// The others have the core of those who call: what the last one can do is its own affair.
void Fleet::start_chain() {
    const auto next = [](const std::string& address) { return std::vector<std::string>{"--set", "next=" + address}; };
    middle_ = start_instance("middle-hop", 0, "127.0.0.1", next(addresses().front()), kLoadCore);
    front_ = start_instance("front-hop", 0, "127.0.0.1", next(fmt::format("127.0.0.1:{}", middle_->port)), kLoadCore);
    await_registered("middle-hop", 1);
    await_registered("front-hop", 1);
}

Fleet::~Fleet() { // nothing is measured any more: no need to wait for good manners
    for (auto& instance : instances_)
        instance.process->signal(SIGKILL);
}

Fleet::Instance Fleet::start_instance(const std::string& service, int number, const std::string& host,
                                      const std::vector<std::string>& more, int core) {
    Instance instance{.id = fmt::format("{}-{}", service, number),
                      .host = host,
                      .port = free_port(),
                      .fault_file = {},
                      .process = {}};
    instance.fault_file = folder_ / (instance.id + ".faults");
    ServerCommand command{.arguments = {setting_.programs / "bench-hop",
                                        service,
                                        "--host",
                                        host,
                                        "--port",
                                        std::to_string(instance.port),
                                        "--instance",
                                        instance.id,
                                        "--faults",
                                        instance.fault_file,
                                        "--data",
                                        folder_ / instance.id,
                                        "--registry",
                                        fmt::format("consul://127.0.0.1:{}", hub_port_),
                                        "--bus",
                                        "memory:" + instance.id,
                                        "--log-format",
                                        "json",
                                        "--access-log-sample",
                                        "1000000"},
                          .folder = folder_,
                          .name = instance.id,
                          .core = core};
    for (const auto& each : {setup_.arguments, more})
        command.arguments.insert(command.arguments.end(), each.begin(), each.end());
    instance.process = std::make_unique<ServerProcess>(std::move(command));
    if (host == "127.0.0.1") instance.process->await_port(instance.port);
    return instance;
}

void Fleet::await_registered(const std::string& service, std::size_t instances) {
    until(service + " in the registry", [&] {
        const auto answer = http_exchange(hub_port_, "GET", "/v1/health/service/" + service + "?passing=1");
        return answer.status == 200 && occurrences(answer.body, "\"ServiceID\":\"" + service) >= instances;
    });
}

void Fleet::call(const CallerKind& kind, const std::string& service) {
    for (int i = 0; i < setup_.callers; ++i) {
        ServerCommand command{.arguments = {setting_.programs / "bench-caller", "--service", service, "--rate",
                                            fmt::format("{}", kind.per_second.value_or(setup_.per_second)), "--seed",
                                            std::to_string(setup_.seed * 100 + static_cast<std::uint64_t>(i))},
                              .folder = folder_,
                              .name = fmt::format("{}-caller-{}", kind.name, i),
                              .core = kLoadCore};
        const auto where = kind.address.empty()
                               ? std::vector<std::string>{"--registry", fmt::format("consul://127.0.0.1:{}", hub_port_)}
                               : std::vector<std::string>{"--address", kind.address};
        command.arguments.insert(command.arguments.end(), where.begin(), where.end());
        command.arguments.insert(command.arguments.end(), kind.arguments.begin(), kind.arguments.end());
        callers_.push_back({kind.name, std::make_unique<ServerProcess>(std::move(command))});
    }
}

void Fleet::fail(const Instance& victim, int percent) {
    write_file(victim.fault_file, fmt::format(R"({{"slowMs":0,"failPercent":{},"cutOff":[]}})", percent));
}
void Fleet::slow(const Instance& victim, int ms) {
    write_file(victim.fault_file, fmt::format(R"({{"slowMs":{},"failPercent":0,"cutOff":[]}})", ms));
}
void Fleet::heal(const Instance& victim) { std::filesystem::remove(victim.fault_file); }

void Fleet::refuse(Instance& victim) {
    kept_.push_back(victim.id);
    kill(victim);
}

void Fleet::swallow() { setup_.network->swallow(kOwnAddress); }

void Fleet::end_hub() {
    hub_->signal(SIGKILL);
    hub_.reset();
}

void Fleet::start_hub() {
    garbage_.reset();
    hub_ = std::make_unique<ServerProcess>(
        ServerCommand{.arguments = {setting_.programs / "flotilla-hub", "--data", folder_ / "hub", "--http-port",
                                    std::to_string(hub_port_), "--redis-port", "0", "--smtp-port", "0"},
                      .folder = folder_,
                      .name = "hub",
                      .core = kLoadCore});
    hub_->await_port(hub_port_);
}

void Fleet::start_garbage() {
    garbage_ = std::make_unique<ServerProcess>(
        ServerCommand{.arguments = {setting_.programs / "bench-backend", std::to_string(hub_port_)},
                      .folder = folder_,
                      .name = "garbage",
                      .core = kLoadCore});
    garbage_->await_port(hub_port_);
}

std::vector<std::string> Fleet::addresses() const {
    std::vector<std::string> addresses;
    for (const auto& instance : instances_)
        addresses.push_back(fmt::format("{}:{}", instance.host, instance.port));
    return addresses;
}

void Fleet::pass(std::chrono::duration<double> time) {
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
    for (auto now = Clock::now(); now < end; now = Clock::now()) {
        check_interrupted();
        for (const auto& id : kept_) {
            if (http_status(hub_port_, "PUT", "/v1/agent/check/pass/service:" + id) != 200)
                throw std::runtime_error("the registration of " + id + " cannot be kept");
        }
        std::this_thread::sleep_for(std::min<Clock::duration>(kTick, end - now));
    }
}

double Fleet::arrived(const Instance& instance, const std::string& kind) {
    return counted(instance.port,
                   "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"/" + kind +
                       "/{id}\"");
}

double Fleet::cpu_us(const std::string& kind) const {
    double sum = 0;
    for (const auto& caller : callers_) {
        if (caller.kind == kind) sum += std::chrono::duration<double, std::micro>(caller.process->cpu_time()).count();
    }
    return sum;
}

double Fleet::resident_mb(const std::string& kind) const {
    double sum = 0;
    for (const auto& caller : callers_) {
        if (caller.kind == kind) sum += static_cast<double>(caller.process->resident_bytes()) / 1e6;
    }
    return sum;
}

std::vector<CallMade> Fleet::calls_of(const std::string& kind) {
    std::vector<CallMade> calls;
    for (auto& caller : callers_) {
        if (caller.kind != kind) continue;
        if (!std::exchange(caller.ended, true)) {
            caller.process->signal(SIGTERM);
            if (caller.process->wait() != 0) throw std::runtime_error(caller.process->complaint("failed"));
        }
        std::istringstream lines(caller.process->output());
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            long long due_us = 0, us = 0;
            std::string outcome;
            if (!(words >> due_us >> us >> outcome)) continue; // its log
            calls.push_back({.due = Clock::time_point(std::chrono::microseconds(due_us)),
                             .ms = static_cast<double>(us) / 1000,
                             .outcome = std::move(outcome)});
        }
    }
    return calls;
}

} // namespace flotilla::bench
