#include <flotilla/saga/transition.hpp>

#include <algorithm>
#include <ranges>

#include <flotilla/observe/age_gauge.hpp>

namespace flotilla::saga {
namespace {

using detail::PlannedStep;

/// A step counts as stuck when it has not ended after so many times its timeout.
constexpr int kStuckAfter = 2;

std::string described(const Error& error) { return error.code() + ": " + error.message(); }

} // namespace

bool is_refusal(const Error& error) {
    // Of the same command, under the same key, which may be under way: no answer to it.
    if (error.code() == "idempotency_key_in_use" || error.code() == "idempotency_key_reused") return false;
    if (error.retry_after() > Duration::zero()) return false; // who says when to come again has not refused
    switch (error.kind()) {
    case Kind::invalid:
    case Kind::unauthenticated:
    case Kind::forbidden:
    case Kind::not_found:
    case Kind::method_not_allowed:
    case Kind::conflict:
    case Kind::too_large:
    case Kind::unsupported:
    case Kind::unprocessable:
        return true;
    default:
        return false;
    }
}

Outcome Outcome::failed(Error error, bool may_have_effect) {
    const auto what = is_refusal(error) ? What::refused : What::unknown;
    return {.what = what, .error = std::move(error), .may_have_effect = may_have_effect};
}

void park(Instance& saga, std::string reason, std::vector<Note>& notes) {
    notes.push_back({"parked", saga.step, reason});
    saga.status = Status::parked;
    saga.reason = std::move(reason);
    saga.asked = Asked::nothing;
    saga.asked_reason.reset();
    saga.due_at.reset();
    saga.stuck_at.reset();
}

void Transition::begin() {
    saga_.started_at = saga_.progressed_at = now_;
    if (plan_.options.timeout > Duration::zero()) saga_.deadline = now_ + plan_.options.timeout;
    note("started");
    next_forward();
}

void Transition::come_due() {
    if (saga_.asked != Asked::nothing) carry_out_asked();
    if (!saga_.active()) return;
    if (before_pivot() && past_deadline()) {
        saga_.uncertain = saga_.uncertain || saga_.waits == Waits::reply;
        give_up_forward("not done within " + in_seconds(*saga_.deadline - saga_.started_at));
        return;
    }
    const auto& options = step().options;
    if (saga_.waits == Waits::reply && saga_.due_at && *saga_.due_at <= now_) {
        take(Outcome::failed(Error(Kind::deadline_exceeded, "no reply within " + in_seconds(options.timeout)), true));
    } else if (saga_.attempt > (saga_.direction == Direction::forward ? options.tries : options.undo_tries)) {
        take(Outcome::failed(Error(Kind::unavailable, "the process ended during each try"), true));
    }
}

void Transition::carry_out_asked() {
    const auto asked = std::exchange(saga_.asked, Asked::nothing);
    auto why = std::exchange(saga_.asked_reason, std::nullopt);
    if (asked == Asked::abort) {
        if (!before_pivot() || saga_.finished_at)
            return note("abort refused", "what can be undone already is, or it is past the pivot");
        saga_.uncertain = saga_.uncertain || saga_.waits == Waits::reply;
        return give_up_forward(why.value_or("aborted"));
    }
    if (saga_.status == Status::parked) {
        saga_.status = saga_.direction == Direction::forward ? Status::running : Status::compensating;
        if (saga_.deadline) saga_.deadline = now_ + plan_.options.timeout;
    }
    if (!saga_.active()) return;
    note(asked == Asked::skip ? "skipped" : "retried", why.value_or(""));
    saga_.attempt = 1;
    saga_.waits = Waits::send;
    saga_.due_at = now_;
    progressed();
    if (asked == Asked::skip) done(Outcome::done());
}

void Transition::take(Outcome outcome) {
    switch (outcome.what) {
    case Outcome::What::done:
        note(saga_.direction == Direction::forward ? "done" : "undone",
             saga_.attempt > 1 ? "try " + std::to_string(saga_.attempt) : "");
        return done(std::move(outcome));
    case Outcome::What::refused:
        return refused(std::move(outcome));
    case Outcome::What::unknown:
        return unknown(std::move(outcome));
    }
}

void Transition::done(Outcome outcome) {
    if (outcome.state) saga_.state = std::move(*outcome.state);
    if (saga_.direction == Direction::forward) {
        saga_.mark(saga_.step).state = StepState::done;
        saga_.reason.reset(); // of a try that failed
        next_forward();
    } else {
        saga_.mark(saga_.step).state = StepState::undone;
        next_undo();
    }
}

void Transition::refused(Outcome outcome) {
    auto reason = saga_.step + " was refused: " + described(*outcome.error);
    note("refused", described(*outcome.error));
    if (saga_.direction == Direction::forward) refusal = outcome.error;
    saga_.uncertain = saga_.uncertain || outcome.may_have_effect;
    if (saga_.direction == Direction::undo) return park("the compensation of " + reason);
    // Of the pivot this answer counts: what a try of before might still do is refused by what the compensations leave.
    if (step().pivot) saga_.past_pivot = false;
    if (saga_.past_pivot) return park(std::move(reason));
    give_up_forward(std::move(reason));
}

void Transition::unknown(Outcome outcome) {
    const bool forward = saga_.direction == Direction::forward;
    const auto& options = step().options;
    const auto tries = forward ? options.tries : options.undo_tries;
    note("unknown",
         "try " + std::to_string(saga_.attempt) + " of " + std::to_string(tries) + ": " + described(*outcome.error));
    saga_.uncertain = saga_.uncertain || outcome.may_have_effect;
    auto reason = (forward ? "" : "the compensation of ") + saga_.step + ": " + described(*outcome.error);
    if (saga_.attempt >= tries) return before_pivot() ? give_up_forward(std::move(reason)) : park(std::move(reason));
    if (before_pivot() && past_deadline()) return give_up_forward(std::move(reason));
    if (forward) saga_.reason = std::move(reason); // a compensation's is why it began
    const auto wait = backoff(options, outcome.error->retry_after());
    ++saga_.attempt;
    saga_.waits = Waits::send;
    saga_.due_at = now_ + wait;
    if (before_pivot() && saga_.deadline) saga_.due_at = std::min(*saga_.due_at, *saga_.deadline);
}

Duration Transition::backoff(const StepOptions& options, Duration at_least) const {
    Duration limit = options.retry_min;
    for (std::int64_t i = 1; i < saga_.attempt && limit < options.retry_max; ++i)
        limit *= 2;
    limit = std::min(limit, options.retry_max);
    const Duration jittered(static_cast<Duration::rep>(random_ % static_cast<std::uint64_t>(limit.count() + 1)));
    return std::max(jittered, std::min(at_least, options.retry_max));
}

/// What may have happened of the current step is undone with the others.
void Transition::give_up_forward(std::string reason) {
    saga_.mark(saga_.step).state = saga_.uncertain ? StepState::sent : StepState::refused;
    compensate(std::move(reason));
}

void Transition::compensate(std::string reason) {
    failed_ = true;
    note("compensating", reason);
    saga_.reason = std::move(reason);
    saga_.status = Status::compensating;
    saga_.direction = Direction::undo;
    next_undo();
}

void Transition::go_to(const PlannedStep& step) {
    saga_.step = step.name;
    saga_.attempt = 1;
    saga_.waits = Waits::send;
    saga_.uncertain = false;
    saga_.due_at = now_;
    progressed();
    if (saga_.direction == Direction::undo) return;
    saga_.mark(step.name).state = StepState::sent;
    saga_.past_pivot = saga_.past_pivot || step.pivot;
}

void Transition::next_forward() {
    const auto next = saga_.step.empty() ? 0 : plan_.index_of(saga_.step) + 1;
    if (next == plan_.steps.size()) return finish(Status::completed);
    go_to(plan_.steps[next]);
}

void Transition::next_undo() {
    for (const auto& mark : saga_.steps | std::views::reverse) {
        if (mark.state != StepState::done && mark.state != StepState::sent) continue;
        const auto& step = plan_.steps[plan_.index_of(mark.name)];
        if (step.undo) return go_to(step);
    }
    finish(Status::compensated);
}

void Transition::finish(Status status) {
    saga_.status = status;
    note(status == Status::completed ? "completed" : "compensated");
    saga_.step.clear();
    saga_.due_at.reset();
    saga_.stuck_at.reset();
    saga_.finished_at = saga_.progressed_at = now_;
}

void Transition::progressed() {
    saga_.progressed_at = now_;
    saga_.stuck_at = now_ + kStuckAfter * step().options.timeout;
}

void Transition::sent_as_event() {
    saga_.waits = Waits::reply;
    saga_.due_at = now_ + step().options.timeout;
    if (before_pivot() && saga_.deadline) saga_.due_at = std::min(*saga_.due_at, *saga_.deadline);
}

void Transition::note(std::string event, std::string detail) {
    notes.push_back({std::move(event), saga_.step, std::move(detail)});
}

} // namespace flotilla::saga
