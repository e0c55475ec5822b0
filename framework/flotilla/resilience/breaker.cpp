#include <flotilla/resilience/breaker.hpp>

#include <algorithm>
#include <utility>

#include <flotilla/base/time.hpp>

namespace flotilla {

std::string_view name(BreakerState state) {
    switch (state) {
    case BreakerState::closed:
        return "CLOSED";
    case BreakerState::half_open:
        return "HALF_OPEN";
    case BreakerState::open:
        return "OPEN";
    }
    std::unreachable();
}

std::string_view describe(BreakerCause cause) {
    switch (cause) {
    case BreakerCause::failures:
        return "failures in a row";
    case BreakerCause::success_rate:
        return "too few of the recent calls succeeded";
    case BreakerCause::probe_failed:
        return "a probe failed";
    case BreakerCause::probe_unreported:
        return "a probe did not end in time";
    case BreakerCause::time_passed:
        return "the open time is over";
    case BreakerCause::chance:
        return "its health check passes again";
    case BreakerCause::others_recovered:
        return "all instances were out, and one is well again";
    case BreakerCause::unexpected_success:
        return "a call that was made nevertheless succeeded";
    case BreakerCause::probes_succeeded:
        return "the probes succeeded";
    }
    std::unreachable();
}

Breaker::Ticket Breaker::begin(const BreakerOptions& options, Instant now) {
    advance(options, now);
    Ticket ticket{.generation = generation_, .probe = wants_probe(options)};
    if (ticket.probe && probes_++ == 0) probe_deadline_ = now + options.probe_timeout;
    return ticket;
}

void Breaker::report(const BreakerOptions& options, Ticket& ticket, CallOutcome outcome, Instant now) {
    advance(options, now);
    if (ticket.generation != generation_) return;
    if (std::exchange(ticket.probe, false) && --probes_ == 0) probe_deadline_ = Instant::max();
    if (outcome == CallOutcome::success) note_success(options, now);
    if (outcome == CallOutcome::failure) note_failure(options, now);
}

void Breaker::note_success(const BreakerOptions& options, Instant now) {
    if (state_ == BreakerState::closed) {
        failures_in_a_row_ = 0;
        window_.add(true, options.window, now);
        return;
    }
    if (state_ == BreakerState::open) go(BreakerState::half_open, BreakerCause::unexpected_success, now);
    if (++probe_successes_ >= options.probe_successes) go(BreakerState::closed, BreakerCause::probes_succeeded, now);
}

void Breaker::note_failure(const BreakerOptions& options, Instant now) {
    if (state_ == BreakerState::half_open) return open(options, BreakerCause::probe_failed, now);
    if (state_ == BreakerState::open) return;
    ++failures_in_a_row_;
    window_.add(false, options.window, now);
    if (failures_in_a_row_ >= options.failures) return open(options, BreakerCause::failures, now);
    if (window_.calls() >= options.calls_min && window_.success_rate() < options.success_rate_min)
        open(options, BreakerCause::success_rate, now);
}

void Breaker::give_chance(Instant now, BreakerCause why) {
    if (state_ == BreakerState::open) go(BreakerState::half_open, why, now);
}

void Breaker::advance(const BreakerOptions& options, Instant now) {
    if (now < next_change()) return;
    if (state_ == BreakerState::open)
        go(BreakerState::half_open, BreakerCause::time_passed, now);
    else
        open(options, BreakerCause::probe_unreported, now);
}

Instant Breaker::next_change() const { return state_ == BreakerState::open ? open_until_ : probe_deadline_; }

void Breaker::open(const BreakerOptions& options, BreakerCause cause, Instant now) {
    open_time_ = next_open_time(options, now);
    open_until_ = now + open_time_;
    opened_by_ = cause;
    go(BreakerState::open, cause, now);
}

Duration Breaker::next_open_time(const BreakerOptions& options, Instant now) const {
    const auto longest = std::max(options.open_max, options.open);
    const auto kept = std::clamp(open_time_, options.open, longest);
    if (state_ == BreakerState::half_open) {
        // One that was tried out before its time has not failed for longer than was known.
        return cause_ == BreakerCause::time_passed ? std::min(kept * 2, longest) : kept;
    }
    const bool soon = opened_by_ && now - since_ < open_time_;
    return soon ? std::min(kept * 2, longest) : options.open;
}

void Breaker::go(BreakerState to, BreakerCause cause, Instant now) {
    if (!changed_from_) changed_from_ = state_;
    state_ = to;
    cause_ = cause;
    since_ = now;
    ++generation_;
    probes_ = 0;
    probe_deadline_ = Instant::max();
    probe_successes_ = 0;
    failures_in_a_row_ = 0;
    window_.clear();
}

std::optional<BreakerChange> Breaker::take_change() {
    if (!changed_from_) return std::nullopt;
    return BreakerChange{*std::exchange(changed_from_, std::nullopt), state_, cause_};
}

std::string Breaker::detail(Instant now) const {
    std::string text(name(state_));
    if (state_ == BreakerState::closed) return text;
    if (state_ == BreakerState::open) {
        const auto left = std::max(open_until_ - now, Duration::zero());
        text += " for another " + to_string(std::chrono::ceil<std::chrono::seconds>(left));
    }
    return text.append(": ").append(describe(cause_));
}

} // namespace flotilla
