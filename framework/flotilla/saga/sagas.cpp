#include <flotilla/saga/sagas.hpp>

#include <stdexcept>

#include <flotilla/aio/event.hpp>
#include <flotilla/saga/saga_table.hpp>

namespace flotilla::saga::detail {

void SagasBase::add_version(std::shared_ptr<const Plan> plan) {
    if (plan->name != family_->name)
        throw std::logic_error("the saga " + plan->name + " is defined as one of " + family_->name);
    const auto version = plan->version;
    if (!family_->versions.try_emplace(version, std::move(plan)).second)
        throw std::logic_error("the saga " + family_->name + " has two versions " + std::to_string(version));
}

bool SagasBase::start_json(Transaction& transaction, std::string id, std::string state) const {
    if (family_->versions.empty()) throw std::logic_error("the saga " + family_->name + " has no version");
    const auto& plan = *family_->versions.rbegin()->second;
    Instance saga{.id = std::move(id),
                  .definition = family_->name,
                  .definition_version = plan.version,
                  .state = std::move(state),
                  .traceparent = std::string(transaction.trace().traceparent().view())};
    Transition transition(plan, saga, transaction.now(), 0);
    transition.begin();
    return table::insert(transaction, saga, transition.notes);
}

task<Result<std::optional<std::string>>> SagasBase::state_json(Context& context, std::string id) const {
    auto saga = co_await must(table::load(context, database_, std::move(id)));
    if (!saga) co_return std::optional<std::string>();
    co_return std::optional(std::move(saga->state));
}

Result<void> SagasBase::cancel(Transaction& transaction, std::string_view id, std::string_view reason) const {
    if (table::ask(transaction, id, {Asked::abort, std::string(reason)})) return {};
    const auto saga = table::load(transaction, id);
    if (!saga) return saga_not_found.with(id);
    if (saga->direction == Direction::undo) return {}; // it does, or has
    return saga_past_pivot.with(id);
}

task<Result<std::optional<View>>> SagasBase::find(Context& context, std::string id) const {
    const auto saga = co_await must(table::load(context, database_, std::move(id)));
    if (!saga) co_return std::optional<View>();
    co_return std::optional(view_of(*saga));
}

task<Result<View>> SagasBase::settled(Context& context, std::string id, Duration wait) const {
    return wait_for(context, std::move(id), {}, wait);
}

task<Result<View>> SagasBase::until(Context& context, std::string id, std::function<bool(const View&)> condition,
                                    Duration wait) const {
    return wait_for(context, std::move(id), std::move(condition), wait);
}

/// condition: empty, where only the end counts.
task<Result<View>> SagasBase::wait_for(Context& context, std::string id, std::function<bool(const View&)> condition,
                                       Duration wait) const {
    Event changed;
    const auto look = [&changed] { changed.notify(); };
    const auto settled = database_.on_signal(table::settled_signal(id), look);
    const auto moved = condition ? database_.on_signal(table::changed_signal(id), look) : nullptr;
    Context bounded(context, wait);
    for (;;) {
        auto saga = co_await must(find(context, id));
        if (!saga) co_return saga_not_found.with(id);
        if (saga->settled() || (condition && condition(*saga))) co_return std::move(*saga);
        if (!co_await changed.wait(bounded)) {
            co_await must(context.check());
            co_return std::move(*saga);
        }
    }
}

} // namespace flotilla::saga::detail
