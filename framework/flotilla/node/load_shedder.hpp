#pragma once

#include <array>
#include <string>

#include <flotilla/aio/context.hpp>
#include <flotilla/contract/error_code.hpp>
#include <flotilla/observe/telemetry.hpp>

namespace flotilla {

/// What a request is refused with for overload. There are many: none is a line in the log.
inline constexpr ErrorCode overloaded{"overloaded", Kind::unavailable,
                                      "too busy to take up this request in time, try again later"};

/// Decides whether a request that has come is begun, by how long it may have waited for its loop (World::backlog): one
/// that cannot keep up refuses some at once and answers the others in time, instead of all too late. It begins to when
/// nearly all requests of kSustained have waited for `begin` or longer, so that a burst or one long turn sheds nothing,
/// and ends when the loop finds time to sleep again, also while longer waits are allowed. Meanwhile
/// - a request is begun that has waited less than its criticality allows (longer the more the loop sleeps), or that is
/// among the first
///   of its turn: what came first is taken up, so that the loop always has useful work, and the newest are refused;
/// - nothing is begun that is less critical than what has just been refused.
/// It knows nothing of what requests cost and does not vary how many are let in. Costs a request two looks at cached
/// figures while nothing is shed, and no allocation.
/// Thread-safety: none; one per loop. Source: docs/guides/overload.md.
class LoadShedder {
public:
    /// So long nearly all must have waited too long before anything is shed.
    static constexpr Duration kSustained = std::chrono::milliseconds(100);
    /// So many at a time are no queue: a few clients that wait for each other's slow requests, each of which takes a
    /// share of `begin` itself.
    static constexpr int kQueueMin = 16;
    /// But when they have waited for so many times `begin` already only so few are none, however long each takes.
    static constexpr int kLongWait = 10;
    static constexpr int kFew = 4;
    /// How often it looks whether the loop has time to sleep, while it sheds.
    static constexpr Duration kLook = std::chrono::milliseconds(200);
    /// What share of it means that the loop keeps up: one in so many.
    static constexpr int kIdleShare = 20;
    /// As long as it does, the waits allowed are doubled at each look, so often at most; then nothing is shed any more.
    static constexpr int kEaseMax = 3;
    /// An overload is over when nothing has been shed for so long: what is just above the capacity comes and goes.
    static constexpr Duration kCalm = std::chrono::seconds(5);

    /// begin: the wait from which on requests have waited too long; zero: nothing is ever shed. loop: its name, for
    /// metrics and log.
    LoadShedder(World& world, Telemetry& telemetry, Duration begin, std::string loop);
    LoadShedder(const LoadShedder&) = delete;
    LoadShedder& operator=(const LoadShedder&) = delete;

    /// Whether the request is begun. Errors: overloaded; the context's reason when it has been cancelled
    /// already: its deadline passed while it waited, or its caller has gone.
    Result<void> admit(const Context& context) {
        if (context.cancelled()) return context.reason();
        if (begin_ == Duration::zero()) return {};
        const World::Backlog backlog = world_.backlog();
        const bool punctual = world_.monotonic() - backlog.since < begin_;
        if (punctual && late_ == 0 && !shedding_) return {};
        return decide(context, backlog);
    }
    bool shedding() const { return shedding_; }
    /// From the first shedding until kCalm behind the last: what log and metrics tell.
    bool in_overload() const { return in_overload_; }

private:
    Result<void> decide(const Context& context, const World::Backlog& backlog);
    void watch(const World::Backlog& backlog, Instant now);
    bool may_begin(Criticality criticality, const World::Backlog& backlog, Instant now) const;
    void begin_shedding(Duration waited);
    static void on_look(void* self);
    void look();
    void adapt(Instant now);
    void end_overload(Instant now);

    World& world_;
    Logger log_;
    const Duration begin_;
    const std::string loop_;
    std::array<Counter*, kCriticalities> shed_total_;
    Gauge& active_;

    std::uint64_t late_ = 0; ///< requests since late_since_ that waited too long
    std::uint64_t punctual_ = 0;
    Instant late_since_{}, last_late_{};
    Instant turn_{};       ///< when the one began in which a request waited too long last
    int late_in_turn_ = 0; ///< before it

    bool shedding_ = false;
    bool in_overload_ = false;
    int ease_ = 0;                                        ///< see wait_allowed()
    Instant began_{}, calm_since_{};                      ///< of the overload
    Duration idle_{};                                     ///< of the loop, at the last look
    std::array<Instant, kCriticalities> refused_at_{};    ///< the last of each criticality
    std::array<std::uint64_t, kCriticalities> refused_{}; ///< since it began
    Timer look_;
};

} // namespace flotilla
