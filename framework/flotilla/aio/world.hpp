#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <flotilla/aio/deadline.hpp>
#include <flotilla/aio/task.hpp>
#include <flotilla/base/result.hpp>
#include <flotilla/base/time.hpp>
#include <flotilla/base/uuid.hpp>

namespace flotilla {

class World;
class Context;
class Stream;
class Listener;

/// Where a stream leads: TCP host and port, or a Unix socket path.
struct Address {
    std::string host;       ///< IP address or name; empty for Unix sockets
    std::uint16_t port = 0; ///< 0 in listen() picks a free port
    std::string path;       ///< Unix socket path; empty for TCP

    static Address tcp(std::string host, std::uint16_t port) { return {std::move(host), port, {}}; }
    static Address unix_socket(std::string path) { return {{}, 0, std::move(path)}; }
    bool is_unix() const { return !path.empty(); }
    /// "host:port", "[v6]:port" or "unix:/path".
    std::string to_string() const;
    static Result<Address> parse(std::string_view text);
    bool operator==(const Address&) const = default;
};

/// A one-shot timer, linked into its World's timer wheel while armed. Not movable; destroying it disarms it.
/// Resolution: the wheel's tick (1 ms); it never fires early. The callback runs on the world's loop.
class Timer {
public:
    using Callback = void (*)(void* argument);
    Timer(World& world, Callback callback, void* argument) : world_(world), callback_(callback), argument_(argument) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { disarm(); }

    /// Arms, or moves an armed timer.
    void arm(Instant at);
    void disarm();
    bool armed() const { return previous_ != nullptr; }
    Instant at() const { return at_; }

private:
    friend class TimerWheel;
    World& world_;
    Callback callback_;
    void* argument_;
    Instant at_{};
    std::uint64_t tick_ = 0;
    Timer** previous_ = nullptr; // the pointer that points here
    Timer* next_ = nullptr;
};

/// Calls back from the loop soon, never inline: how coroutines wake each other, so that whoever wakes is not
/// interrupted in the middle of its work. Linked while scheduled (no allocation), first in first out. Not movable;
/// destroying it takes the call back. Thread-safety: none; from other threads use World::post.
class Wakeup {
public:
    using Callback = void (*)(void* argument);
    Wakeup(World& world, Callback callback, void* argument) : world_(world), callback_(callback), argument_(argument) {}
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;
    ~Wakeup() { cancel(); }

    /// Scheduling again before the call counts once.
    void schedule();
    void cancel();
    bool scheduled() const { return previous_ != nullptr; }

private:
    friend class World;
    World& world_;
    Callback callback_;
    void* argument_;
    std::uint64_t round_ = 0;
    Wakeup** previous_ = nullptr; // the pointer that points here
    Wakeup* next_ = nullptr;
};

/// Runs submitted work strictly one after another, in order, away from the loop (a thread of its own; inline in the
/// simulation). The destructor finishes what was submitted.
class Worker {
public:
    virtual ~Worker() = default;
    /// Thread-safe.
    virtual void submit(std::move_only_function<void()> work) = 0;
};

struct ListenOptions {
    bool reuse_port = false; ///< several loops accept on one TCP port (SO_REUSEPORT)
    int backlog = 1024;
};

/// How busy the threads behind World::submit_blocking are.
struct BlockingLoad {
    std::size_t waiting = 0; ///< work that no thread has begun yet
    std::size_t busy = 0;    ///< threads that run work
};

/// Everything outside the program that services and the framework may touch: clock, timers, randomness, streams,
/// other threads. One World per loop; the simulation replaces it. Nothing above aio reads a clock, sleeps, draws
/// randomness or opens a socket in any other way.
/// Thread-safety: only post(), now() and blocking_load() may be called from other threads than the loop's.
class World {
public:
    World() = default;
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    virtual ~World();

    virtual Timestamp now() const = 0;     ///< wall clock
    virtual Instant monotonic() const = 0; ///< monotonic clock, cached per loop turn (at most one turn old)
    virtual std::uint64_t random() = 0;    ///< 64 random bits, unpredictable outside the simulation
    /// monotonic(), moved on if that is some milliseconds behind: before something is measured that long-running code
    /// may have preceded in the same turn. Reads no clock (only what the kernel notes at its ticks).
    virtual Instant catch_up() { return monotonic(); }
    /// monotonic(), read anew. Costs a reading of the clock: not for every request.
    virtual Instant refresh() { return monotonic(); }
    /// How far the loop is behind with what comes in.
    struct Backlog {
        Instant since;   ///< whatever the loop takes up now may have been waiting since then, but not longer
        Instant looked;  ///< when this turn looked for work: all that it takes up was there then
        Duration idle{}; ///< how long the loop has slept since it began
    };
    /// Reads no clock. Where no time passes in a turn, as in the simulation, nothing waits.
    virtual Backlog backlog() const { return {.since = monotonic(), .looked = monotonic()}; }
    /// The longest that this loop went without looking for new work since the last call. Zero where no time passes in
    /// a turn, as in the simulation.
    virtual Duration take_longest_turn() { return Duration::zero(); }

    /// Runs work on this loop, later, never inline. Thread-safe.
    virtual void post(std::move_only_function<void()> work) = 0;

    /// Runs work away from the loop, for blocking calls; it must post() its outcome back. Bounded: past the pool's
    /// queue limit it answers `unavailable` and does not run the work. Use offload() in aio/offload.hpp.
    virtual Result<void> submit_blocking(std::move_only_function<void()> work) = 0;
    /// Thread-safe. Nothing waits where work runs inline.
    virtual BlockingLoad blocking_load() const { return {}; }
    virtual std::unique_ptr<Worker> start_worker(std::string name) = 0;

    /// Connects; a TCP connection has TCP_NODELAY set, and ends within seconds of its peer vanishing without a word
    /// (those that a listener accepts alike). Errors: unavailable (refused, unreachable, unknown name),
    /// deadline_exceeded.
    virtual task<Result<std::unique_ptr<Stream>>> connect(Context& context, Address address) = 0;
    /// Listens; a stale Unix socket file that nobody listens on is replaced. Errors: unavailable with the reason.
    virtual Result<std::unique_ptr<Listener>> listen(const Address& address, ListenOptions options = {}) = 0;

protected:
    friend class Timer;
    virtual void arm(Timer& timer, Instant at) = 0;
    virtual void disarm(Timer& timer) = 0;

private:
    friend class Wakeup;
    void run_wakeups();

    Wakeup* first_wakeup_ = nullptr;
    Wakeup** last_wakeup_ = &first_wakeup_;
    std::uint64_t wakeup_round_ = 0;
    bool wakeups_posted_ = false;
};

inline void Timer::arm(Instant at) {
    at_ = at;
    world_.arm(*this, at);
}
inline void Timer::disarm() {
    if (armed()) world_.disarm(*this);
}

/// A new UUIDv7 (RFC 9562) from the world's clock and randomness, e.g. "01890a5d-ac96-774b-bcce-b302099a8057".
Uuid new_id(World& world);

} // namespace flotilla
