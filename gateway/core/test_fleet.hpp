#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/stream.hpp>

#include "gateway/core/gateway.hpp"

namespace flotilla::gateway {

/// For tests: a gateway, its backends and its clients on one loop, over real sockets on the loopback.
class TestFleet {
public:
    /// What arrived at a backend.
    struct Arrived {
        http::RequestHead head;
        std::string body;
        http::Headers trailers;
    };
    /// Plays a server by hand: gets each accepted connection.
    using Script = std::function<task<void>(Context&, Stream&)>;

    TestFleet() = default;
    ~TestFleet() {
        stop();
        scope_.cancel(Error(Kind::cancelled, "the test is over"));
        loop_.run_until_done(scope_.join());
    }

    World& world() { return loop_.world(); }
    Context& root() { return root_; }
    Scope& scope() { return scope_; }
    Metrics& metrics() { return telemetry_.metrics; }
    http::Client& client() { return client_; }
    Gateway& gateway() { return *gateway_; }
    const Address& address() const { return address_; }
    /// The gateway's connections to all instances of a service.
    http::Client::Load upstream_load(const std::string& service) const {
        http::Client::Load sum;
        if (const auto found = instances_.find(service); found != instances_.end()) {
            for (const auto& instance : found->second)
                sum += upstream_client_.load(instance.address);
        }
        return sum;
    }
    std::vector<std::string>& log_lines() { return log_lines_; }

    /// One more instance of a service.
    Address serve(const std::string& service, http::Handler handler, http::ServerOptions options = {}) {
        servers_.push_back(std::make_unique<http::Server>(world(), std::move(handler), options));
        const auto address = servers_.back()->listen(Address::tcp("127.0.0.1", 0)).value();
        scope_.spawn(servers_.back()->run(scope_.context()));
        add_instance(service, address);
        return address;
    }
    /// An instance that answers 200 with `body` and notes what arrives.
    std::vector<Arrived>& serve_noting(const std::string& service, std::string body = "{}") {
        auto& arrived = *notes_.emplace_back(std::make_unique<std::vector<Arrived>>());
        serve(service, [&arrived, body](Context& context, http::Exchange& exchange) -> task<void> {
            std::ignore = exchange.limit_body(100 * 1024 * 1024); // what is above it cannot be read
            auto content = co_await exchange.read_all(context);
            arrived.push_back({exchange.request(), content.value_or(std::string(kCut)), exchange.request_trailers()});
            http::ResponseHead head;
            head.headers.add("content-type", "application/json");
            std::ignore = co_await exchange.respond(context, head, body);
        });
        return arrived;
    }
    /// An instance that speaks `script` on each connection and then closes it.
    Address serve_script(const std::string& service, Script script) {
        scripts_.push_back(std::make_unique<Script>(std::move(script)));
        listeners_.push_back(world().listen(Address::tcp("127.0.0.1", 0)).value());
        scope_.spawn(accept(*listeners_.back(), *scripts_.back()));
        add_instance(service, listeners_.back()->local());
        return listeners_.back()->local();
    }
    /// An instance that refuses connections.
    void serve_dead(const std::string& service) {
        auto listener = world().listen(Address::tcp("127.0.0.1", 0)).value();
        const auto address = listener->local();
        listener.reset();
        add_instance(service, address);
    }

    void start(const std::string& yaml, GatewayOptions options = {}) {
        auto config = parse_config(yaml, "test.yaml");
        if (!config) throw std::runtime_error(config.error().message());
        auto routes = RouteTable::build(*config);
        if (!routes) throw std::runtime_error(routes.error().message());
        registry_ = open_registry(world(), client_, telemetry_, {.url = "static:", .fixed = instances_}).value();
        options.node.port = 0;
        options.targets.defaults.balancing.policy = BalancingPolicy::round_robin; // a test knows who is next
        gateway_ =
            Gateway::listen(world(), *config, *routes, upstream_client_, *registry_, budgets_, telemetry_, options)
                .value();
        address_ = gateway_->address();
        scope_.spawn(run_gateway());
    }
    /// Begins the gateway's shutdown.
    void stop() { stop_.cancel(Error(Kind::cancelled, "asked to stop")); }
    bool stopped() const { return stopped_; }

    template <class T>
    T run(task<T> work) {
        return loop_.run_until_done(std::move(work));
    }
    /// A request to the gateway, its whole answer.
    http::Response send(http::Request request) {
        Context context(root_, kPatience);
        auto response = run(client_.fetch(context, address_, std::move(request)));
        if (!response) throw std::runtime_error(response.error().message());
        return std::move(*response);
    }
    http::Response send(Method method, std::string target, std::string body = {},
                        std::vector<std::pair<std::string, std::string>> headers = {}) {
        http::Request request;
        request.head.method = method;
        request.head.method_name = name(method);
        request.head.target = std::move(target);
        request.head.authority = "shop.example";
        for (const auto& [field, value] : headers)
            request.head.headers.add(field, value);
        request.body = std::move(body);
        return send(std::move(request));
    }
    http::Response get(std::string target) { return send(Method::get, std::move(target)); }

    /// Sends bytes as they are and reads until the gateway closes; `then_close` says at once that nothing follows.
    std::string send_raw(std::string bytes, bool then_close = false) { return run(raw(std::move(bytes), then_close)); }

    /// Lets everything that can go on go on: many turns of the loop.
    task<void> settle(int turns = 3000) {
        for (int i = 0; i < turns; ++i) {
            Event turned;
            world().post([&turned] { turned.notify(); });
            std::ignore = co_await turned.wait(root_);
        }
    }

    /// The body of a message that broke off.
    static constexpr std::string_view kCut = "(cut)";
    static constexpr Duration kPatience = std::chrono::seconds(20);

private:
    void add_instance(const std::string& service, const Address& address) {
        auto& list = instances_[service];
        list.push_back({.id = service + "-" + std::to_string(list.size()), .service = service, .address = address});
    }
    task<void> accept(Listener& listener, Script& script) {
        while (true) {
            auto stream = co_await listener.accept(scope_.context());
            if (!stream) co_return;
            scope_.spawn(play(std::move(*stream), script));
        }
    }
    task<void> play(std::unique_ptr<Stream> stream, Script& script) { co_await script(scope_.context(), *stream); }
    task<void> run_gateway() {
        EXPECT_TRUE(co_await gateway_->run(stop_));
        stopped_ = true;
    }
    task<std::string> raw(std::string bytes, bool then_close) {
        Context context(root_, kPatience);
        auto stream = co_await world().connect(context, address_);
        if (!stream) co_return "cannot connect: " + stream.error().message();
        auto written = co_await (*stream)->write(context, std::string_view(bytes));
        if (then_close) (*stream)->shutdown_write();
        std::string received;
        std::array<char, 16 * 1024> buffer;
        while (written) {
            auto count = co_await (*stream)->read(context, buffer);
            if (!count) received += "(" + count.error().message() + ")";
            if (!count || *count == 0) break;
            received.append(buffer.data(), *count);
        }
        co_return received;
    }

    Loop loop_;
    Context root_{loop_.world()};
    Context stop_{loop_.world()};
    Scope scope_{root_};
    std::vector<std::string> log_lines_;
    Telemetry telemetry_{Logger("gateway", LogLevel::debug, Logger::Format::json,
                                [this](std::string_view line) { log_lines_.emplace_back(line); })};
    http::Client client_{loop_.world()};
    RetryBudgets budgets_;
    http::Client upstream_client_{loop_.world()};
    std::map<std::string, std::vector<Instance>, std::less<>> instances_;
    std::unique_ptr<Registry> registry_;
    std::vector<std::unique_ptr<http::Server>> servers_;
    std::vector<std::unique_ptr<std::vector<Arrived>>> notes_;
    std::vector<std::unique_ptr<Script>> scripts_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::unique_ptr<Gateway> gateway_;
    Address address_;
    bool stopped_ = false;
};

} // namespace flotilla::gateway
