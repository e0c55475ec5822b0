#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/aio/deadline.hpp>
#include <flotilla/resilience/options.hpp>
#include <flotilla/resilience/sliding_window.hpp>

namespace flotilla {

enum class BreakerState : unsigned char { closed, half_open, open };

/// "CLOSED", "HALF_OPEN", "OPEN".
std::string_view name(BreakerState state);

/// What a call says about the instance it went to.
enum class CallOutcome : unsigned char {
    success,
    failure,    ///< it did not answer, too late, or with an error of its own (5xx)
    overloaded, ///< it refused the call for its load (429, 503 with Retry-After): used less, but not taken out
    ignored     ///< nothing: an answer that is the caller's own doing (4xx), our own shedding, a caller that left
};

/// Why a breaker went into a state.
enum class BreakerCause : unsigned char {
    failures,           ///< so many in a row: CLOSED to OPEN
    success_rate,       ///< too low over the window: CLOSED to OPEN
    probe_failed,       ///< HALF_OPEN to OPEN
    probe_unreported,   ///< a probe took longer than the limit: HALF_OPEN to OPEN
    time_passed,        ///< OPEN to HALF_OPEN
    chance,             ///< a health check passed, or it registered again: OPEN to HALF_OPEN
    others_recovered,   ///< all were out, and one is well again: OPEN to HALF_OPEN
    unexpected_success, ///< of a call that was made although it was OPEN: to HALF_OPEN
    probes_succeeded,   ///< HALF_OPEN to CLOSED
};

/// For log lines, e.g. "5 failures in a row" is told as "failures in a row".
std::string_view describe(BreakerCause cause);

struct BreakerChange {
    BreakerState from, to;
    BreakerCause cause;
};

/// The state of one incarnation of an instance: CLOSED (used), OPEN (not used), HALF_OPEN (a few calls try it out).
/// - CLOSED opens after so many failures in a row, or by a low success rate over a sliding window with enough calls.
/// - OPEN lasts `open`, doubled each time it opens again when that is over or soon after it closed (within the last
/// open
///   time), up to `open_max`. Then, or at a chance (give_chance()), it is HALF_OPEN; a chance that fails doubles
///   nothing.
/// - HALF_OPEN wants `probes` calls at a time; `probe_successes` of them close it, one failure opens it. A probe
/// without
///   an outcome for `probe_timeout` opens it too.
/// It keeps account and decides about no call: which instances are used while some are out is Availability's. Calls are
/// begun and reported in every state; an outcome counts only for the state in which its call began, so that those on
/// their way when it opened neither close nor open it later.
/// Transitions that time brings happen at the next begin(), report() or advance(). State is a few hundred bytes;
/// nothing allocates. Options are given to each call: they can change at run time, and many instances share one set.
/// Thread-safety: none; one per instance and loop.
class Breaker {
public:
    /// Of a call that was begun.
    struct Ticket {
        std::uint32_t generation = 0;
        bool probe = false; ///< holds one of the places for probes
    };

    /// A call begins, whatever the state.
    Ticket begin(const BreakerOptions& options, Instant now);
    /// It has an outcome; `ignored` when it ended without one. Only the first outcome of a probe counts; of others a
    /// failure may follow a success, when an answer breaks off.
    void report(const BreakerOptions& options, Ticket& ticket, CallOutcome outcome, Instant now);
    /// OPEN becomes HALF_OPEN at once. Call it when a health check passes that failed before, or the instance announces
    /// itself anew; not for each check that passes: an instance may well answer those and fail calls.
    void give_chance(Instant now, BreakerCause why = BreakerCause::chance);
    /// Does what time brings.
    void advance(const BreakerOptions& options, Instant now);

    /// As of the last call of the above.
    BreakerState state() const { return state_; }
    /// HALF_OPEN, and a place for a probe is free.
    bool wants_probe(const BreakerOptions& options) const {
        return state_ == BreakerState::half_open && probes_ < options.probes;
    }
    /// When advance() will change something if nothing else happens; Instant::max(): never.
    Instant next_change() const;
    /// When the last OPEN ends, or would have. Requires: it was OPEN once.
    Instant open_until() const { return open_until_; }
    /// Since when the state is what it is; Instant::min() when it was never left.
    Instant since() const { return since_; }
    /// What opened it last; nothing when nothing did.
    std::optional<BreakerCause> opened_by() const { return opened_by_; }
    std::uint32_t failures_in_a_row() const { return failures_in_a_row_; }
    const SlidingWindow& window() const { return window_; }
    /// The change since the last call of this, for log line and metric; several are told as one, from the first state
    /// to the last with the last cause.
    std::optional<BreakerChange> take_change();
    /// For health details, e.g. "OPEN for another 42s: failures in a row".
    std::string detail(Instant now) const;

private:
    void go(BreakerState to, BreakerCause cause, Instant now);
    void open(const BreakerOptions& options, BreakerCause cause, Instant now);
    Duration next_open_time(const BreakerOptions& options, Instant now) const;
    void note_failure(const BreakerOptions& options, Instant now);
    void note_success(const BreakerOptions& options, Instant now);

    SlidingWindow window_;
    Instant since_ = Instant::min();
    Instant open_until_ = Instant::min();
    Instant probe_deadline_ = Instant::max();
    Duration open_time_{};         ///< of the last opening; zero before the first
    std::uint32_t generation_ = 0; ///< of the state: each change begins another
    std::uint32_t failures_in_a_row_ = 0;
    std::uint32_t probes_ = 0; ///< under way
    std::uint32_t probe_successes_ = 0;
    BreakerState state_ = BreakerState::closed;
    BreakerCause cause_{};
    std::optional<BreakerCause> opened_by_;
    std::optional<BreakerState> changed_from_;
};

} // namespace flotilla
