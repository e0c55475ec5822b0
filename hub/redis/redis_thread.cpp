#include "hub/redis/redis_thread.hpp"

#include <future>
#include <thread>

#include <flotilla/aio/loop.hpp>
#include <flotilla/observe/loop_watch.hpp>

#include "hub/redis/redis_server.hpp"
#include "hub/redis/sqlite_journal.hpp"

namespace flotilla::hub {

namespace {

/// Everything that lives on the bus's thread.
struct Bus {
    Bus(RedisThreadOptions given, Telemetry& telemetry, std::unique_ptr<SqliteJournal> opened,
        std::function<void()> on_lost)
        : options(std::move(given)), journal(std::move(opened)), keyspace(*journal, options.limits),
          engine(keyspace, [this] { return loop.world().now().milliseconds(); }), counted(telemetry.metrics),
          server(loop.world(), engine, telemetry.log, counted, std::move(on_lost)),
          watch(loop.world(), telemetry.metrics, "bus") {
        watch.publish([this] { server.publish_backlog(); });
    }

    task<void> serve() {
        if (stop_requested) co_return;
        Context context(loop.world());
        serving = &context;
        watch.start();
        co_await server.run(context);
        serving = nullptr;
    }

    /// On the bus's thread: replies to what was read still leave, but nobody is waited for longer than the drain time.
    void stop() {
        stop_requested = true;
        if (!serving || drain.armed()) return;
        drain.arm(loop.world().monotonic() + options.drain);
        server.stop();
    }
    static void on_drained(void* self) {
        auto& bus = *static_cast<Bus*>(self);
        if (bus.serving) bus.serving->cancel(Error(Kind::unavailable, "the bus is shutting down"));
    }

    RedisThreadOptions options;
    std::unique_ptr<SqliteJournal> journal;
    Loop loop;
    Keyspace keyspace;
    Engine engine;
    RedisMetrics counted;
    RedisServer server;
    LoopWatch watch;
    Context* serving = nullptr;
    bool stop_requested = false;
    Timer drain{loop.world(), &Bus::on_drained, this};
};

} // namespace

struct RedisThread::Impl {
    RedisThreadOptions options;
    Telemetry& telemetry;
    std::function<void()> on_lost;
    Address address = {};
    std::unique_ptr<Bus> bus = {}; ///< made and used on the thread; `loop` may be posted to from others
    std::thread thread = {};

    Result<Address> open() {
        auto journal = SqliteJournal::open(options.file);
        if (!journal) return std::move(journal.error());
        bus = std::make_unique<Bus>(options, telemetry, std::move(*journal), on_lost);
        if (auto loaded = bus->keyspace.load(); !loaded) {
            return std::move(loaded.error()).with_context("cannot read " + options.file.string());
        }
        return bus->server.listen(options.address);
    }

    void run(std::promise<Result<Address>> opened) {
        auto address_or_error = open();
        const bool serving = address_or_error.has_value();
        opened.set_value(std::move(address_or_error));
        if (serving) bus->loop.run_until_done(bus->serve());
    }
};

RedisThread::RedisThread(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<RedisThread>> RedisThread::start(RedisThreadOptions options, Telemetry& telemetry,
                                                        std::function<void()> on_lost) {
    std::promise<Result<Address>> promise;
    auto opened = promise.get_future();
    std::unique_ptr<RedisThread> started(
        new RedisThread(std::make_unique<Impl>(Impl{std::move(options), telemetry, std::move(on_lost)})));
    Impl& impl = *started->impl_;
    impl.thread = std::thread([&impl, promise = std::move(promise)]() mutable { impl.run(std::move(promise)); });
    auto address = opened.get();
    if (!address) return std::move(address.error());
    impl.address = std::move(*address);
    return started;
}

const Address& RedisThread::address() const { return impl_->address; }

Result<void> RedisThread::health() const {
    if (auto well = impl_->bus->journal->health(); !well) return well;
    if (impl_->bus->counted.refusing_writes.value() == 0) return {};
    return Error(Kind::unavailable, "the last commit failed: writes are refused until the disk is well again");
}

void RedisThread::stop() {
    if (!impl_->thread.joinable()) return;
    if (impl_->bus) impl_->bus->loop.world().post([bus = impl_->bus.get()] { bus->stop(); });
    impl_->thread.join();
}

RedisThread::~RedisThread() { stop(); }

} // namespace flotilla::hub
