#include <flotilla/aio/reactor.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <flotilla/aio/signal_watch.hpp>

namespace flotilla::detail {

namespace {

constexpr std::size_t kEventsMax = 256; // per turn
constexpr int kForever = -1;
constexpr int kLookOnly = 0;
constexpr Duration kRealSleep = std::chrono::milliseconds(1);     // less may be a look that found events
constexpr Duration kAlarmLateness = std::chrono::milliseconds(3); // epoll counts in milliseconds and rounds up

int checked(int result, const char* what) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), what);
    return result;
}

/// A file descriptor that is closed at the end.
struct OwnedFd {
    explicit OwnedFd(int number) : fd(number) {}
    OwnedFd(const OwnedFd&) = delete;
    OwnedFd& operator=(const OwnedFd&) = delete;
    ~OwnedFd() { ::close(fd); }
    int fd;
};

Instant read_clock() { return Instant(std::chrono::steady_clock::now().time_since_epoch()); }

/// The monotonic clock as it was at the kernel's last tick, 1 to 4 ms ago at most: a fraction of read_clock()'s cost.
Instant read_last_tick() {
    timespec tick{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &tick); // fails for no clock that exists
    return Instant(std::chrono::seconds(tick.tv_sec) + std::chrono::nanoseconds(tick.tv_nsec));
}

} // namespace

/// Outlives its Descriptor until the turn ends: an event of this turn may still name it.
struct Descriptor::Core {
    struct Wait {
        Callback callback = nullptr; ///< null: nobody waits
        void* argument = nullptr;
    };

    Reactor& reactor;
    int fd;
    std::array<bool, 2> ready{}; ///< since the last exhausted()
    std::array<Wait, 2> waits{};
    bool watched = false;
    bool failed = false;           ///< so has this one, or the connection is broken
    bool hung_up = false;          ///< the other side has closed: reading will not come to an end of its own
    Core** previous_due = nullptr; ///< linked in Impl::due or calling: to be called though no event comes
    Core* next_due = nullptr;

    Core(Reactor& owner, int number) : reactor(owner), fd(number) {}
    void watch();
    void on_events(std::uint32_t events);
    void call_ready();
    void make_due();
    void unlink_due();
    void close();
};

struct Reactor::Signals {
    Signals(Reactor& reactor, std::initializer_list<int> signals, std::move_only_function<void(int)> on_signal)
        : watch(signals), handler(std::move(on_signal)),
          pipe(reactor, checked(::fcntl(watch.fd(), F_DUPFD_CLOEXEC, 0), "fcntl")) {
        pipe.wait(Descriptor::reading, &Signals::on_readable, this);
    }
    static void on_readable(void* self) {
        auto& signals = *static_cast<Signals*>(self);
        // One a turn: the handler may stop the loop, or raise the next signal.
        if (const int number = signals.watch.next()) {
            signals.handler(number);
        } else {
            signals.pipe.exhausted(Descriptor::reading);
        }
        signals.pipe.wait(Descriptor::reading, &Signals::on_readable, self);
    }
    SignalWatch watch;
    std::move_only_function<void(int)> handler;
    Descriptor pipe;
};

struct Reactor::Impl {
    OwnedFd epoll{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
    OwnedFd wake_up{checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")};
    Callback on_kick;
    Callback on_alarm;
    void* argument;
    std::atomic<std::thread::id> thread; ///< the one in run()
    std::atomic<bool> kicked{false};
    std::atomic<bool> stopped{false};
    Descriptor::Core* due = nullptr;                       ///< in the order in which they became it
    Descriptor::Core** last_due = &due;                    ///< where the next one is linked
    Descriptor::Core* calling = nullptr;                   ///< what of `due` this turn has still to call
    std::vector<std::unique_ptr<Descriptor::Core>> closed; ///< until the turn ends
    std::vector<std::unique_ptr<Signals>> signals;

    Impl(Callback kick, Callback alarm, void* callback_argument)
        : on_kick(kick), on_alarm(alarm), argument(callback_argument) {
        epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
        checked(::epoll_ctl(epoll.fd, EPOLL_CTL_ADD, wake_up.fd, &event), "epoll_ctl");
    }
    bool on_loop() const { return thread.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
    /// Makes epoll_wait return; an edge each time, so nothing need be read back.
    void interrupt() const {
        const std::uint64_t one = 1;
        // Fails only at 2^64 - 2 of them, when an edge is pending anyway.
        [[maybe_unused]] const ssize_t written = ::write(wake_up.fd, &one, sizeof one);
    }
    void call_due();
};

Reactor::Reactor(Callback on_kick, Callback on_alarm, void* argument)
    : impl_(std::make_unique<Impl>(on_kick, on_alarm, argument)) {}
Reactor::~Reactor() { impl_->signals.clear(); }

void Reactor::run() {
    impl_->thread = std::this_thread::get_id();
    now_fresh_ = false;
    turn_began_ = Instant::max();
    while (!impl_->stopped.exchange(false))
        turn();
    impl_->thread = std::thread::id();
}

void Reactor::stop() {
    impl_->stopped = true;
    impl_->interrupt();
}

void Reactor::kick() {
    if (!impl_->kicked.exchange(true) && !impl_->on_loop()) impl_->interrupt();
}

/// Events first, then what was posted, then what became due on the way: writes leave one right behind the other
/// (docs/adr/0004-writes-leave-together.md). Timers last: work that is ready, and an answer that is given, are not
/// stopped by a deadline that passes in the same turn.
void Reactor::turn() {
    std::array<epoll_event, kEventsMax> events; // not cleared: 3 KiB, filled by the kernel
    const bool work_waits = impl_->due != nullptr || impl_->kicked.load();
    const int count = ::epoll_wait(impl_->epoll.fd, events.data(), kEventsMax, work_waits ? kLookOnly : fall_asleep());
    if (count < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_wait");
    now_fresh_ = false;
    if (alarm_ != Instant::max()) { // the alarm needs this turn's clock anyway
        note_turn(monotonic());
        note_look(count < static_cast<int>(kEventsMax));
    }
    for (int i = 0; i < count; ++i) {
        if (auto* core = static_cast<Descriptor::Core*>(events[static_cast<std::size_t>(i)].data.ptr)) {
            core->on_events(events[static_cast<std::size_t>(i)].events);
        }
    }
    if (!impl_->stopped && impl_->kicked.exchange(false)) call(impl_->on_kick, impl_->argument);
    impl_->call_due();
    if (!impl_->stopped) ring_if_due();
    impl_->closed.clear();
}

/// How long epoll may sleep: never past the alarm by less than it can count, which is a millisecond.
int Reactor::fall_asleep() {
    if (alarm_ == Instant::max()) {
        turn_began_ = Instant::max();
        return kForever;
    }
    const Instant now = read_clock();
    note_turn(now);
    turn_began_ = Instant::max(); // what comes now is no work
    fell_asleep_ = now;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(alarm_ - now);
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000));
}

/// A turn ends where the next begins, or where the loop goes to sleep.
void Reactor::note_turn(Instant end) {
    if (turn_began_ != Instant::max()) {
        last_turn_ = end - turn_began_;
        longest_turn_ = std::max<Duration>(longest_turn_, last_turn_);
    }
    turn_began_ = end;
}

/// What comes now was not there at the look before, unless that one could not take all. Of what comes while the loop
/// sleeps nothing waits, unless it slept past its alarm: then it did not get the CPU.
void Reactor::note_look(bool took_all) {
    Duration waited = last_turn_;
    if (const Instant asleep = std::exchange(fell_asleep_, Instant::max()); asleep != Instant::max()) {
        slept_ += turn_began_ - asleep;
        if (turn_began_ - asleep >= kRealSleep) waited = Duration::zero();
        if (turn_began_ - alarm_ >= kAlarmLateness) waited = std::max<Duration>(waited, turn_began_ - alarm_);
    }
    if (!left_some_) waiting_since_ = turn_began_ - waited;
    left_some_ = !took_all;
}

void Reactor::ring_if_due() {
    if (alarm_ == Instant::max() || monotonic() < alarm_) return;
    alarm_ = Instant::max();
    call(impl_->on_alarm, impl_->argument);
}

void Reactor::call(Callback callback, void* argument) {
    at_once_left_ = kAtOnceMax;
    callback(argument);
}

/// What became due until now; what becomes due meanwhile waits for the next turn, so that events are looked at between.
void Reactor::Impl::call_due() {
    if (due == nullptr) return;
    calling = std::exchange(due, nullptr);
    calling->previous_due = &calling;
    last_due = &due;
    while (calling != nullptr) {
        Descriptor::Core& core = *calling;
        core.unlink_due();
        core.call_ready();
    }
}

void Reactor::on_signals(std::initializer_list<int> signals, std::move_only_function<void(int)> handler) {
    impl_->signals.push_back(std::make_unique<Signals>(*this, signals, std::move(handler)));
}

Instant Reactor::monotonic() {
    if (!std::exchange(now_fresh_, true)) now_ = read_clock();
    return now_;
}

Instant Reactor::refresh() {
    now_fresh_ = false;
    return monotonic();
}

Instant Reactor::catch_up() {
    if (!now_fresh_) return monotonic();
    now_ = std::max(now_, read_last_tick());
    return now_;
}

void Descriptor::Core::watch() {
    // Not before the first wait: a socket that is not connected yet counts as hung up.
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = this}};
    checked(::epoll_ctl(reactor.impl_->epoll.fd, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    watched = true;
}

void Descriptor::Core::on_events(std::uint32_t events) {
    if (fd < 0) return; // closed by an earlier callback of this turn
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        hung_up = true;
        failed = failed || (events & (EPOLLHUP | EPOLLERR)) != 0;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ready[reading] = true;
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) ready[writing] = true;
    call_ready();
}

void Descriptor::Core::call_ready() {
    if (reactor.impl_->stopped.load(std::memory_order_relaxed)) return make_due(); // for the next run()
    // What a callback waits for anew has its time later: an answer leaves with the others at the end of the turn.
    const std::array wanted{waits[reading].callback != nullptr, waits[writing].callback != nullptr};
    for (const Direction direction : {reading, writing}) {
        if (!ready[direction] || !wanted[direction]) continue;
        if (auto* callback = std::exchange(waits[direction].callback, nullptr)) {
            reactor.call(callback, waits[direction].argument);
        }
    }
}

void Descriptor::Core::make_due() {
    if (previous_due != nullptr) return;
    previous_due = std::exchange(reactor.impl_->last_due, &next_due);
    *previous_due = this;
}

void Descriptor::Core::unlink_due() {
    if (previous_due == nullptr) return;
    *previous_due = next_due;
    if (next_due != nullptr) next_due->previous_due = previous_due;
    if (reactor.impl_->last_due == &next_due) reactor.impl_->last_due = previous_due;
    previous_due = nullptr;
    next_due = nullptr;
}

void Descriptor::Core::close() {
    if (fd < 0) return;
    waits = {};
    unlink_due();
    // Explicitly: while a child process that is being started still has a copy, closing alone would not end the watch.
    if (watched) ::epoll_ctl(reactor.impl_->epoll.fd, EPOLL_CTL_DEL, fd, nullptr);
    ::close(std::exchange(fd, -1)); // reports only what no one can act on any more
}

Descriptor::Descriptor(Reactor& reactor, int fd) : core_(new Core(reactor, fd)) {}
Descriptor::~Descriptor() {
    if (core_ == nullptr) return; // moved from
    core_->close();
    core_->reactor.impl_->closed.emplace_back(core_);
}

int Descriptor::fd() const { return core_->fd; }

void Descriptor::wait(Direction direction, Callback callback, void* argument) {
    core_->waits[direction] = {callback, argument};
    if (!core_->watched) {
        core_->watch();
    } else if (core_->ready[direction]) {
        core_->make_due();
    }
}

void Descriptor::forget(Direction direction) { core_->waits[direction].callback = nullptr; }

bool Descriptor::is_watched() const { return core_->watched; }

bool Descriptor::is_ready(Direction direction) const { return core_->ready[direction]; }

bool Descriptor::has_ended() const { return core_->hung_up; }

bool Descriptor::has_failed() const { return core_->failed; }

void Descriptor::exhausted(Direction direction) {
    core_->ready[direction] = false;
    // Reading that would block has not ended, whatever was said before.
    if (direction == reading) core_->hung_up = core_->failed = false;
}

void Descriptor::exhausted_by_short_read() {
    if (!core_->hung_up) core_->ready[reading] = false;
}

void Descriptor::close() { core_->close(); }

} // namespace flotilla::detail
