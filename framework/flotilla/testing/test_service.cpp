#include <flotilla/testing/test_service.hpp>

#include <unistd.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <future>
#include <stdexcept>
#include <thread>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/discovery/registry.hpp>

namespace flotilla {
namespace {

std::string unique_name(std::string_view prefix) {
    static std::atomic<int> counter{0};
    return std::string(prefix) + std::to_string(getpid()) + "-" + std::to_string(++counter);
}

template <class T>
T must_succeed(Result<T> result, std::string_view what) {
    if (!result) throw std::runtime_error(std::string(what) + ": " + result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

HostOptions host_options(std::string service, const std::string& data, const std::string& bus) {
    return {.service = std::move(service),
            .port = 0,
            .data = data,
            .registry = "none",
            .bus = bus,
            .log_level = LogLevel::warning};
}

} // namespace

boost::json::value TestResponse::json() const { return must_succeed(json::parse_value(body), "not JSON: " + body); }

struct TestService::Impl {
    Install install;
    TestOptions options;
    std::string folder;
    bool temporary = false;
    Process process{Logger("test", LogLevel::warning, Logger::Format::json)};

    // The service's thread.
    std::thread thread;
    Loop* loop = nullptr;
    Context* stop = nullptr;
    std::promise<Address> ready;
    Address address;

    // The test's own side.
    Loop client_loop;
    Context client_context{client_loop.world()};
    http::Client client{client_loop.world()};
    std::unique_ptr<Bus> bus;
    std::map<std::string, std::unique_ptr<Subscription>, std::less<>> listeners;
    std::map<std::string, std::deque<Message>, std::less<>> heard;
    std::map<std::string, std::uint64_t> sequences;

    void run_service();
    task<void> serve(Loop& own_loop, Context& stopping);
    task<void> serve_fakes(Scope& scope, Context& stopping, RegistryOptions& known,
                           std::vector<std::unique_ptr<Host>>& hosts);
    static task<void> run_host(Host& host, Context& stopping, std::optional<Error>& failure);
};

task<void> TestService::Impl::run_host(Host& host, Context& stopping, std::optional<Error>& failure) {
    auto served = co_await host.run(stopping);
    if (!served) failure = std::move(served.error());
}

task<void> TestService::Impl::serve_fakes(Scope& scope, Context& stopping, RegistryOptions& known,
                                          std::vector<std::unique_ptr<Host>>& hosts) {
    std::map<std::string, std::vector<const Fake*>> by_service;
    for (const auto& one : options.fakes)
        by_service[std::string(one.service)].push_back(&one);
    World& world = stopping.world();
    std::optional<Error> failure;
    for (const auto& [service, fakes] : by_service) {
        auto host = std::make_unique<Host>(world, process, host_options(service, folder, options.bus));
        for (const auto* one : fakes)
            one->install(*host);
        must_succeed(co_await host->prepare(stopping), "fake of " + service);
        Event listening;
        host->on_ready([&listening] { listening.notify(); });
        Host& running = *host;
        hosts.push_back(std::move(host));
        scope.spawn(run_host(running, stopping, failure));
        must_succeed(co_await listening.wait(stopping), "fake of " + service);
        running.on_ready({});
        known.fixed[service] = {{.id = service + "-fake", .service = service, .address = running.address()}};
    }
}

task<void> TestService::Impl::serve(Loop& own_loop, Context& stopping) {
    Scope scope(stopping);
    std::vector<std::unique_ptr<Host>> fakes;
    RegistryOptions known{.url = "static:"};
    std::optional<Error> failure;
    std::exception_ptr broken;
    try {
        co_await serve_fakes(scope, stopping, known, fakes);
        auto main_options = host_options("service-under-test", folder, options.bus);
        main_options.settings = options.settings;
        if (!options.registry.empty()) main_options.registry = options.registry;
        Host host(own_loop.world(), process, main_options);
        if (options.registry.empty()) {
            auto registry =
                must_succeed(open_registry(own_loop.world(), host.http_client(), process.log, known), "registry");
            host.use(std::move(registry), must_succeed(open_bus(own_loop.world(), options.bus), "bus"));
        }
        install(host);
        must_succeed(co_await host.prepare(stopping), "prepare");
        if (options.seed) {
            auto url = "sqlite:" + folder + "/service-under-test.db";
            auto database = must_succeed(open_database(own_loop.world(), url, "service-under-test"), "database");
            must_succeed(co_await database->transact(stopping, options.seed), "seed");
        }
        host.on_ready([&] { ready.set_value(host.address()); });
        auto served = co_await host.run(stopping);
        if (!served) throw std::runtime_error(served.error().message());
    } catch (...) {
        broken = std::current_exception();
    }
    stopping.cancel(Error(Kind::cancelled, "the test has ended"));
    co_await scope.join();
    if (broken) std::rethrow_exception(broken);
}

void TestService::Impl::run_service() {
    Loop own_loop;
    Context stopping(own_loop.world());
    loop = &own_loop;
    stop = &stopping;
    try {
        own_loop.run_until_done(serve(own_loop, stopping));
    } catch (...) {
        try {
            ready.set_exception(std::current_exception());
        } catch (const std::future_error&) {
            std::fprintf(stderr, "the service under test ended with an exception\n");
            std::terminate();
        }
    }
}

TestService::TestService(Install install, TestOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->install = install;
    impl_->options = std::move(options);
    impl_->temporary = impl_->options.data.empty();
    impl_->folder = impl_->temporary ? (std::filesystem::temp_directory_path() / unique_name("flotilla-test-")).string()
                                     : impl_->options.data;
    std::filesystem::create_directories(impl_->folder);
    if (impl_->options.bus.empty()) impl_->options.bus = "memory:" + unique_name("test-");
    impl_->bus = must_succeed(open_bus(impl_->client_loop.world(), impl_->options.bus), "bus");
    impl_->thread = std::thread([this] { impl_->run_service(); });
    try {
        impl_->address = impl_->ready.get_future().get();
    } catch (...) {
        impl_->thread.join();
        throw;
    }
}

TestService::~TestService() {
    impl_->loop->world().post([stop = impl_->stop] { stop->cancel(Error(Kind::cancelled, "the test has ended")); });
    impl_->thread.join();
    if (impl_->temporary) std::filesystem::remove_all(impl_->folder);
}

TestResponse TestService::send(std::string_view method, std::string_view target, std::string body,
                               std::span<const TestHeader> headers) {
    http::Request request;
    request.head.method = parse_method(method);
    request.head.method_name = method;
    request.head.target = target;
    request.head.authority = "test";
    for (const auto& [name, value] : headers)
        request.head.headers.add(name, value);
    request.body = std::move(body);
    auto response = must_succeed(impl_->client_loop.run_until_done(
                                     impl_->client.fetch(impl_->client_context, impl_->address, std::move(request))),
                                 "request");
    TestResponse answer{.status = response.status(), .headers = {}, .body = std::move(response.body)};
    for (std::size_t i = 0; i < response.head.headers.size(); ++i) {
        std::string name(response.head.headers[i].name);
        for (char& c : name)
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        answer.headers[name] = response.head.headers[i].value;
    }
    return answer;
}

TestResponse TestService::get(std::string_view target, std::initializer_list<TestHeader> headers) {
    return send("GET", target, "", std::vector(headers));
}

namespace {
std::vector<TestHeader> with_json(std::initializer_list<TestHeader> headers) {
    std::vector<TestHeader> all(headers);
    all.push_back({"content-type", "application/json"});
    return all;
}
} // namespace

TestResponse TestService::post(std::string_view target, const boost::json::value& body,
                               std::initializer_list<TestHeader> headers) {
    return send("POST", target, json::write(body), with_json(headers));
}

TestResponse TestService::patch(std::string_view target, const boost::json::value& body,
                                std::initializer_list<TestHeader> headers) {
    return send("PATCH", target, json::write(body), with_json(headers));
}

void TestService::publish_message(std::string_view topic, std::string key, std::string payload, std::string event_id,
                                  std::string producer) {
    Message message{.topic = std::string(topic),
                    .key = std::move(key),
                    .sequence = ++impl_->sequences[producer + "/" + std::string(topic)],
                    .id = std::move(event_id),
                    .producer = std::move(producer),
                    .time = impl_->client_loop.world().now(),
                    .traceparent = impl_->client_context.trace.traceparent(),
                    .payload = std::move(payload)};
    must_succeed(impl_->client_loop.run_until_done(impl_->bus->publish(impl_->client_context, {&message, 1})),
                 "publish");
}

Message TestService::next_event(std::string_view topic) {
    auto& queue = impl_->heard[std::string(topic)];
    auto& listener = impl_->listeners[std::string(topic)];
    if (!listener) {
        listener = must_succeed(impl_->client_loop.run_until_done(impl_->bus->subscribe(
                                    impl_->client_context, std::string(topic), 0, "test-listener", "test")),
                                "subscribe");
    }
    if (queue.empty()) {
        Context bounded(impl_->client_context, Duration(std::chrono::seconds(10)));
        auto deliveries = must_succeed(impl_->client_loop.run_until_done(listener->receive(bounded, 16)),
                                       "next_event " + std::string(topic));
        std::vector<std::string> tokens;
        for (auto& delivery : deliveries) {
            tokens.push_back(delivery.token);
            queue.push_back(std::move(delivery.message));
        }
        must_succeed(impl_->client_loop.run_until_done(listener->acknowledge(impl_->client_context, tokens)),
                     "acknowledge");
    }
    Message message = std::move(queue.front());
    queue.pop_front();
    return message;
}

const Address& TestService::address() const { return impl_->address; }
const std::string& TestService::data() const { return impl_->folder; }

bool eventually(const std::function<bool()>& condition, Duration patience) {
    Loop loop;
    Context context(loop.world());
    const auto end = loop.world().monotonic() + patience;
    while (!condition()) {
        if (loop.world().monotonic() > end) return false;
        auto slept = loop.run_until_done(sleep_for(context, std::chrono::milliseconds(1)));
        if (!slept) return false;
    }
    return true;
}

} // namespace flotilla
