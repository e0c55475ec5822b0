#include <flotilla/saga/advance.hpp>

#include <flotilla/saga/saga_table.hpp>

namespace flotilla::saga {
namespace {

/// How long after a call's own time a saga is looked at again that nobody has in hand any more.
constexpr Duration kCallMargin = std::chrono::seconds(5);

Outcome outcome_of(const Instance& saga, const detail::Act& act, const Reply& reply) {
    if (reply.refused)
        return {.what = Outcome::What::refused,
                .error = Error(Kind::conflict, reply.refused->code, reply.refused->message)};
    if (!act.keep) return Outcome::done();
    auto kept = act.keep(saga.state, reply.result ? json::write(*reply.result) : "{}");
    if (!kept) return Outcome::failed(Error(Kind::bad_gateway, "broken_answer", kept.error().message()), true);
    return Outcome::done(std::move(*kept));
}

} // namespace

Result<Advanced> Advance::operator()(Transaction& transaction) const {
    Advanced advanced{.saga = occasion_->saga};
    auto& saga = advanced.saga;
    saga.in_hand = -occasion_->epoch;
    ++saga.row_version;
    if (auto missing = missing_handler(saga, occasion_->plan.get()); !missing.empty()) {
        park(saga, std::move(missing), advanced.notes);
    } else {
        Transition transition(*occasion_->plan, saga, occasion_->now, occasion_->random);
        go_on(transaction, transition, advanced);
        if (local_failure_->error) return *local_failure_->error;
        if (transition.failed()) {
            for (const auto& note : transition.notes)
                if (note.event == "compensating") advanced.failed = note;
        }
        advanced.notes = std::move(transition.notes);
        advanced.refusal = std::move(transition.refusal);
    }
    table::store(transaction, occasion_->saga, saga, advanced.notes);
    tell(transaction, advanced);
    return advanced;
}

void Advance::go_on(Transaction& transaction, Transition& transition, Advanced& advanced) const {
    auto& saga = advanced.saga;
    const bool by_person = saga.asked == Asked::retry || saga.asked == Asked::skip;
    if (occasion_->outcome && saga.active()) {
        transition.take(*occasion_->outcome);
        if (by_person) saga.asked = Asked::nothing; // it was about this command, and has its answer
    } else if (saga.active() && saga.waits == Waits::reply) {
        if (const auto reply = table::take_reply(transaction, saga))
            transition.take(outcome_of(saga, transition.act(), *reply));
    }
    transition.come_due();
    while (transition.sends() && !transaction.failed()) {
        const auto& act = transition.act();
        if (act.travel == Travel::call) {
            advanced.calls = true;
            saga.in_hand = occasion_->epoch;
            saga.due_at = occasion_->now + transition.step().options.timeout + kCallMargin;
            return;
        }
        if (act.travel == Travel::local) {
            if (!run_local(transaction, transition, saga)) return;
            continue;
        }
        if (const auto early = table::take_reply(transaction, saga)) {
            transition.take(outcome_of(saga, act, *early));
            continue;
        }
        auto published = act.publish(transaction, saga.state,
                                     {.saga = saga.id, .step = saga.step, .undo = saga.direction == Direction::undo});
        if (published)
            transition.sent_as_event();
        else
            transition.take(Outcome::failed(std::move(published.error()), false));
    }
}

/// False: its function has failed, and with it this transaction.
bool Advance::run_local(Transaction& transaction, Transition& transition, Instance& saga) const {
    if (const auto known = occasion_->local.find(saga.step); known != occasion_->local.end()) {
        transition.take(known->second);
        return true;
    }
    auto state = saga.state;
    Result<void> done;
    try {
        done = transition.act().run(transaction, state);
    } catch (const std::exception& bug) {
        done = Error(Kind::internal, std::string("the step's function threw: ") + bug.what());
    }
    if (transaction.failed()) done = *transaction.failure();
    local_failure_->step = saga.step;
    local_failure_->error = done ? std::nullopt : std::optional(done.error());
    if (!done) return false;
    transition.take(Outcome::done(std::move(state)));
    return true;
}

/// The service follows it in rows of its own.
void Advance::tell(Transaction& transaction, const Advanced& advanced) const {
    const auto& saga = advanced.saga;
    const auto& before = occasion_->saga;
    const bool changed = saga.status != before.status || saga.step != before.step || saga.direction != before.direction;
    if (!changed || !occasion_->family || !occasion_->family->hook || transaction.failed()) return;
    const auto* refusal = advanced.refusal ? &*advanced.refusal : nullptr;
    if (auto followed = occasion_->family->hook(transaction, view_of(saga), saga.state, refusal); !followed)
        transaction.fail(std::move(followed.error()).with_context("following the saga " + saga.id));
}

bool awaits_call(const Occasion& occasion) {
    if (!missing_handler(occasion.saga, occasion.plan.get()).empty() || occasion.saga.step.empty()) return false;
    auto saga = occasion.saga;
    return saga.waits == Waits::send &&
           Transition(*occasion.plan, saga, occasion.now, occasion.random).act().travel == Travel::call;
}

bool calls_at_once(const Occasion& occasion) {
    if (!missing_handler(occasion.saga, occasion.plan.get()).empty()) return false;
    auto saga = occasion.saga;
    Transition transition(*occasion.plan, saga, occasion.now, occasion.random);
    transition.come_due();
    return transition.notes.empty() && transition.sends() && transition.act().travel == Travel::call;
}

} // namespace flotilla::saga
