#include <flotilla/testing/test_service.hpp>

#include <unistd.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <future>
#include <stdexcept>
#include <thread>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/base/ascii.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/service/service_node.hpp>

namespace flotilla {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10); // no test waits longer for one thing
const std::string kServiceName = "service-under-test";

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
    return {.node = {.service = std::move(service), .data = data, .registry = "none", .log_level = LogLevel::warning},
            .bus = bus};
}

} // namespace

boost::json::value TestResponse::json() const { return must_succeed(json::parse_value(body), "not JSON: " + body); }

namespace {

/// The service's folder: the test's own, or a temporary one that goes with it.
class Folder {
public:
    explicit Folder(const std::string& given)
        : temporary_(given.empty()),
          path_(temporary_ ? (std::filesystem::temp_directory_path() / unique_name("flotilla-test-")).string()
                           : given) {
        std::filesystem::create_directories(path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code failed; // what cannot be removed stays in the temporary folder
        if (temporary_) std::filesystem::remove_all(path_, failed);
    }
    const std::string& path() const { return path_; }

private:
    bool temporary_;
    std::string path_;
};

task<void> run_fake(ServiceNode& fake, Context& stopping) { must_succeed(co_await fake.run(stopping), "a fake"); }

} // namespace

struct TestService::Impl {
    Impl(Install its_install, TestOptions its_options)
        : install(its_install), options(std::move(its_options)), folder(options.data) {
        if (options.bus.empty()) options.bus = "memory:" + unique_name("test-");
        bus = must_succeed(open_bus(client_loop.world(), options.bus), "bus");
    }

    Install install;
    TestOptions options;
    Folder folder;
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

    /// Every transaction body runs twice: one that consumes its captures fails.
    std::string database_url() const { return "sqlite:" + folder.path() + "/" + kServiceName + ".db?bodies=twice"; }
    void run_service();
    task<void> serve(Context& stopping);
    task<void> serve_fakes(Scope& scope, Context& stopping, std::vector<std::unique_ptr<ServiceNode>>& nodes,
                           RegistryOptions& known);
    task<void> serve_service(Context& stopping, RegistryOptions known);
    task<void> seed(Context& stopping);
};

task<void> TestService::Impl::serve_fakes(Scope& scope, Context& stopping,
                                          std::vector<std::unique_ptr<ServiceNode>>& nodes, RegistryOptions& known) {
    std::map<std::string, std::vector<const Fake*>> by_service;
    for (const auto& one : options.fakes)
        by_service[std::string(one.service)].push_back(&one);
    for (const auto& [service, fakes] : by_service) {
        const auto install = [&fakes](Host& host) {
            for (const auto* one : fakes)
                one->install(host);
        };
        auto prepared = co_await ServiceNode::prepare(stopping, stopping.world(), process,
                                                      host_options(service, folder.path(), options.bus), install);
        auto& node = *nodes.emplace_back(must_succeed(std::move(prepared), "fake of " + service));
        known.fixed[service] = {{.id = service + "-fake", .service = service, .address = node.address()}};
        scope.spawn(run_fake(node, stopping));
    }
}

task<void> TestService::Impl::seed(Context& stopping) {
    if (!options.seed) co_return;
    auto database = must_succeed(open_database(stopping.world(), database_url(), kServiceName), "database");
    must_succeed(co_await database->transact(stopping, options.seed), "seed");
}

task<void> TestService::Impl::serve_service(Context& stopping, RegistryOptions known) {
    auto own_options = host_options(kServiceName, folder.path(), options.bus);
    own_options.database = database_url();
    own_options.settings = options.settings;
    if (!options.registry.empty()) own_options.node.registry = options.registry;
    http::Client registry_client(stopping.world());
    Engines engines;
    if (options.registry.empty()) {
        engines.registry =
            must_succeed(open_registry(stopping.world(), registry_client, process, std::move(known)), "registry");
    }
    const auto node = must_succeed(co_await ServiceNode::prepare(stopping, stopping.world(), process, own_options,
                                                                 install, {}, std::move(engines)),
                                   "prepare");
    co_await seed(stopping);
    ready.set_value(node->address());
    must_succeed(co_await node->run(stopping), "run");
}

task<void> TestService::Impl::serve(Context& stopping) {
    std::vector<std::unique_ptr<ServiceNode>> fakes; // outlive the scope that runs them
    Scope scope(stopping);
    RegistryOptions known{.url = "static:"};
    std::exception_ptr broken;
    try {
        co_await serve_fakes(scope, stopping, fakes, known);
        co_await serve_service(stopping, std::move(known));
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
        own_loop.run_until_done(serve(stopping));
    } catch (const std::exception& failure) {
        try {
            ready.set_exception(std::current_exception());
        } catch (const std::future_error&) { // it had started: the test cannot be told any more
            std::fprintf(stderr, "the service under test ended with a bug: %s\n", failure.what());
            std::terminate();
        }
    }
}

TestService::TestService(Install install, TestOptions options)
    : impl_(std::make_unique<Impl>(install, std::move(options))) {
    impl_->thread = std::thread([impl = impl_.get()] { impl->run_service(); });
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
    Context bounded(impl_->client_context, kPatience);
    auto response = must_succeed(
        impl_->client_loop.run_until_done(impl_->client.fetch(bounded, impl_->address, std::move(request))), "request");
    TestResponse answer{.status = response.status(), .headers = {}, .body = std::move(response.body)};
    for (std::size_t i = 0; i < response.head.headers.size(); ++i) {
        const auto field = response.head.headers[i];
        answer.headers[ascii_lower(field.name)] = field.value;
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
        Context bounded(impl_->client_context, kPatience);
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
const std::string& TestService::data() const { return impl_->folder.path(); }

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
