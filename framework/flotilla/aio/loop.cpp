#include <flotilla/aio/loop.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <span>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <sys/random.h>

#include <flotilla/aio/blocking_pool.hpp>
#include <flotilla/aio/reactor.hpp>
#include <flotilla/aio/socket_stream.hpp>
#include <flotilla/aio/timer_wheel.hpp>

namespace flotilla {

namespace {

/// Random numbers of the operating system, fetched a block at a time.
class SystemRandom {
public:
    std::uint64_t next() {
        if (used_ == block_.size()) refill();
        // Handed out once: what was used is not left in memory.
        return std::exchange(block_[used_++], 0);
    }

private:
    void refill() {
        std::span<std::byte> bytes = std::as_writable_bytes(std::span(block_));
        while (!bytes.empty()) {
            const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
            if (count >= 0) {
                bytes = bytes.subspan(static_cast<std::size_t>(count));
            } else if (errno != EINTR) {
                throw std::system_error(errno, std::generic_category(), "getrandom");
            }
        }
        used_ = 0;
    }

    std::array<std::uint64_t, 512> block_{}; // a request takes about six
    std::size_t used_ = block_.size();
};

/// Ties a reactor, a timer wheel and a pool together.
class LoopWorld final : public World {
public:
    explicit LoopWorld(const Loop::Options& options)
        : reactor_(&LoopWorld::on_kick, &LoopWorld::on_alarm, this), wheel_(reactor_.monotonic()),
          pool_(std::max<std::size_t>(options.blocking_threads, 1), options.blocking_queue) {}

    detail::Reactor& reactor() { return reactor_; }

    Timestamp now() const override {
        const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
        return Timestamp(std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count());
    }
    Instant monotonic() const override { return reactor_.monotonic(); }
    std::uint64_t random() override { return random_.next(); }
    Instant catch_up() override { return reactor_.catch_up(); }
    Instant refresh() override { return reactor_.refresh(); }
    Backlog backlog() const override {
        return {.since = reactor_.waiting_since(), .looked = reactor_.looked_at(), .idle = reactor_.slept()};
    }
    Duration take_longest_turn() override { return reactor_.take_longest_turn(); }

    void post(std::move_only_function<void()> work) override {
        bool first = false;
        {
            const std::lock_guard lock(posted_mutex_);
            first = posted_.empty();
            posted_.push_back(std::move(work));
        }
        if (first) reactor_.kick();
    }
    Result<void> submit_blocking(std::move_only_function<void()> work) override {
        return pool_.submit(std::move(work));
    }
    BlockingLoad blocking_load() const override { return pool_.load(); }
    std::unique_ptr<Worker> start_worker(std::string name) override {
        return std::make_unique<ThreadWorker>(std::move(name));
    }
    task<Result<std::unique_ptr<Stream>>> connect(Context& context, Address address) override {
        return detail::connect(reactor_, context, std::move(address));
    }
    Result<std::unique_ptr<Listener>> listen(const Address& address, ListenOptions options) override {
        return detail::listen(reactor_, address, options);
    }

protected:
    void arm(Timer& timer, Instant at) override;
    void disarm(Timer& timer) override { wheel_.disarm(timer); }

private:
    static void on_kick(void* self) { static_cast<LoopWorld*>(self)->run_posted(); }
    static void on_alarm(void* self);
    void run_posted();
    void set_alarm_if_earlier();

    mutable detail::Reactor reactor_; // mutable: reading its clock fills the cache of this turn
    TimerWheel wheel_;
    Instant alarm_ = Instant::max(); ///< when the reactor wakes for the wheel; max: not set
    SystemRandom random_;

    std::mutex posted_mutex_;
    std::vector<std::move_only_function<void()>> posted_;
    std::vector<std::move_only_function<void()>> running_;

    BlockingPool pool_; // last: its threads post to this world until they are joined
};

/// Everything posted until now, in order; what it posts comes in a later turn.
void LoopWorld::run_posted() {
    {
        const std::lock_guard lock(posted_mutex_);
        running_.swap(posted_);
    }
    for (auto& work : running_) {
        work();
        work = nullptr;
    }
    running_.clear();
}

void LoopWorld::arm(Timer& timer, Instant at) {
    // An empty wheel need not be turned tick by tick; it starts again here.
    if (wheel_.empty()) wheel_.advance(monotonic());
    wheel_.arm(timer, at);
    if (at < alarm_) set_alarm_if_earlier();
}

/// The alarm is only ever moved to an earlier instant: timers that are armed and disarmed all the time cost no system
/// call, but one wake-up for many of them. Without armed timers it is not set again.
void LoopWorld::set_alarm_if_earlier() {
    const auto next = wheel_.next_deadline();
    if (!next || *next >= alarm_) return;
    alarm_ = *next;
    reactor_.set_alarm(alarm_);
}

void LoopWorld::on_alarm(void* self) {
    auto& world = *static_cast<LoopWorld*>(self);
    world.alarm_ = Instant::max();
    world.wheel_.advance(world.monotonic());
    world.set_alarm_if_earlier();
}

} // namespace

struct Loop::Impl {
    explicit Impl(const Options& options) : world(options) {}
    LoopWorld world;
};

Loop::Loop() : Loop(Options{}) {}
Loop::Loop(Options options) : impl_(std::make_unique<Impl>(options)) {}
Loop::~Loop() = default;

World& Loop::world() { return impl_->world; }
void Loop::run() { impl_->world.reactor().run(); }
void Loop::stop() { impl_->world.reactor().stop(); }

void Loop::on_signals(std::initializer_list<int> signals, std::move_only_function<void(int)> handler) {
    impl_->world.reactor().on_signals(signals, std::move(handler));
}

void Loop::run_root(task<void> work) {
    struct Root {
        Loop& loop;
        bool done = false;
    } root{*this};
    const auto handle = work.handle();
    handle.promise().completion = {[](void* state) noexcept -> std::coroutine_handle<> {
                                       auto& ended = *static_cast<Root*>(state);
                                       ended.done = true;
                                       ended.loop.stop();
                                       return std::noop_coroutine();
                                   },
                                   &root};
    world().post([handle] { handle.resume(); });
    run();
    if (!root.done) throw std::runtime_error("the loop was stopped before its task ended");
    handle.promise().take();
}

} // namespace flotilla
