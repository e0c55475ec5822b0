#pragma once

// Part of the tests of service/.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/service/service_node.hpp>

namespace flotilla::test {

/// Targets on this machine whose instances take turns: a test knows which one is next.
inline TargetsOptions in_turn() {
    TargetsOptions options{.this_host = "127.0.0.1"};
    options.defaults.balancing.policy = BalancingPolicy::round_robin;
    options.defaults.balancing.slow_start = Duration::zero();
    return options;
}

template <class T>
T value(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().code() + ": " + result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class TemporaryFolder {
public:
    TemporaryFolder() : path_((std::filesystem::temp_directory_path() / "flotilla-service-XXXXXX").string()) {
        if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// The request as it stands: http::Client::fetch() would put trace and deadline of its own into it.
inline task<Result<http::Response>> ask(Context& context, http::Client& client, Address address,
                                        http::Request request) {
    auto exchange = co_await must(client.open(context, std::move(address)));
    // An early answer (413, say) cuts the request short.
    std::ignore = co_await exchange->send_whole(context, request.head, request.body);
    http::Response response{.head = *co_await must(exchange->receive(context)), .body = {}};
    while (true) {
        const auto piece = co_await must(exchange->read(context));
        if (piece.empty()) co_return response;
        response.body.append(piece);
    }
}

/// A loop whose background work is joined, a client on it, and log lines kept.
class Bench {
public:
    Bench() = default;
    ~Bench() { finish(); }
    /// Ends and joins what runs in the scope: before that goes which it uses.
    void finish() {
        stop_.cancel(Error(Kind::cancelled, "the test has ended"));
        loop_.run_until_done(scope_.join());
    }

    World& world() { return loop_.world(); }
    Context& root() { return root_; }
    Context& stop() { return stop_; }
    Scope& scope() { return scope_; }
    http::Client& client() { return client_; }
    Process& process() { return process_; }
    const std::vector<std::string>& lines() const { return lines_; }
    /// The log lines with that text.
    std::vector<boost::json::value> lines_with(std::string_view text) const {
        std::vector<boost::json::value> found;
        for (const auto& line : lines_) {
            if (line.contains(text)) found.push_back(value(json::parse_value(line)));
        }
        return found;
    }

    template <class T>
    T wait(task<T> work) {
        return loop_.run_until_done(std::move(work));
    }
    /// Turns the loop until the condition holds; 10 s at most.
    bool eventually(const std::function<bool()>& condition) {
        const auto end = world().monotonic() + std::chrono::seconds(10);
        while (!condition()) {
            if (world().monotonic() > end) return false;
            value(wait(sleep_for(root_, std::chrono::milliseconds(1))));
        }
        return true;
    }

    Result<http::Response> try_fetch(Address address, http::Request request) {
        Context bounded(root_, Duration(std::chrono::seconds(10)));
        return wait(ask(bounded, client_, std::move(address), std::move(request)));
    }
    /// Starts a request; `into` gets the answer while the loop turns.
    void begin(Address address, http::Request request, std::optional<Result<http::Response>>& into) {
        scope_.spawn(detail::store_result(ask(root_, client_, std::move(address), std::move(request)), into));
    }

private:
    Loop loop_;
    Context root_{loop_.world()};
    Context stop_{root_};
    std::vector<std::string> lines_;
    Process process_{Logger("bench", LogLevel::info, Logger::Format::json,
                            [this](std::string_view line) { lines_.emplace_back(line); })};
    http::Client client_{loop_.world()};
    Scope scope_{stop_};
};

using Header = std::pair<std::string, std::string>;

inline http::Request request_of(std::string_view method, std::string target, std::string body = {},
                                std::vector<Header> headers = {}) {
    http::Request request;
    request.head.method = parse_method(method);
    request.head.method_name = method;
    request.head.target = std::move(target);
    request.head.authority = "test";
    for (const auto& [name, text] : headers)
        request.head.headers.add(name, text);
    if (!body.empty() && !request.head.headers.has("content-type"))
        request.head.headers.add("content-type", "application/json");
    request.body = std::move(body);
    return request;
}

/// A host on a bench, started by its constructor, with an in-process bus and fixed instances of other services.
class TestHost {
public:
    using Known = std::map<std::string, std::vector<Instance>, std::less<>>;

    /// registry: instead of one with the `known` instances.
    TestHost(Bench& bench, const std::function<void(Host&)>& install, HostOptions options = {}, Known known = {},
             std::unique_ptr<Registry> registry = {})
        : bench_(bench), stop_(bench.stop()), options_(with_defaults(std::move(options))) {
        if (!registry) {
            registry = value(open_registry(bench.world(), bench.client(), bench.process(),
                                           {.url = "static:", .fixed = std::move(known)}));
        }
        node_ = value(bench_.wait(ServiceNode::prepare(bench.root(), bench.world(), bench.process(), options_, install,
                                                       {}, {.registry = std::move(registry)})));
        running_.spawn(run());
    }
    TestHost(const TestHost&) = delete;
    TestHost& operator=(const TestHost&) = delete;
    ~TestHost() {
        request_stop();
        bench_.wait(running_.join());
    }

    const HostOptions& options() const { return options_; }
    const Address& address() const { return node_->address(); }
    bool ended() const { return outcome_.has_value(); }
    /// Asks it to stop; it drains while the loop turns.
    void request_stop() { stop_.cancel(Error(Kind::cancelled, "asked to stop")); }
    /// Asks it to stop and waits: what run() gave.
    Result<void> stop() {
        request_stop();
        bench_.wait(running_.join());
        return *outcome_;
    }

    http::Response send(std::string_view method, std::string target, std::string body = {},
                        std::vector<Header> headers = {}) {
        return value(bench_.try_fetch(address(), request_of(method, std::move(target), std::move(body), headers)));
    }
    http::Response get(std::string target, std::vector<Header> headers = {}) {
        return send("GET", std::move(target), {}, std::move(headers));
    }
    http::Response post(std::string target, std::string body, std::vector<Header> headers = {}) {
        return send("POST", std::move(target), std::move(body), std::move(headers));
    }

private:
    HostOptions with_defaults(HostOptions options) {
        if (options.node.service.empty()) options.node.service = "test-service";
        options.node.data = folder_.path();
        options.bus = "memory:" + folder_.path();
        options.database = "sqlite:" + folder_.path() + "/test.db?bodies=twice";
        return options;
    }
    task<void> run() { outcome_ = co_await node_->run(stop_); }

    TemporaryFolder folder_;
    Bench& bench_;
    Context stop_;
    HostOptions options_;
    std::unique_ptr<ServiceNode> node_;
    std::optional<Result<void>> outcome_;
    Scope running_{bench_.root()};
};

/// The member of a JSON answer.
inline boost::json::value json_of(const http::Response& response) { return value(json::parse_value(response.body)); }
inline std::string code_of(const http::Response& response) {
    return std::string(json_of(response).at("code").as_string());
}

} // namespace flotilla::test
