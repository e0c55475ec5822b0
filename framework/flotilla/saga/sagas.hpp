#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/json.hpp>
#include <flotilla/saga/definition.hpp>
#include <flotilla/saga/view.hpp>
#include <flotilla/store/database.hpp>

namespace flotilla::saga {

/// What the service hears of a saga, in the transaction in which it happens.
template <class State>
struct Change {
    const View& saga;
    const State& state;
    const Error* refusal = nullptr; ///< what a participant has said that refused a step now; View::reason says more
};

namespace detail {

using Hook = std::function<Result<void>(Transaction&, const View&, std::string_view state, const Error* refusal)>;

/// The sagas of one definition, all its versions, without the type of their state. Built while the service is
/// installed.
struct Family {
    std::string name;
    const TypeDescriptor* state;
    std::map<std::int64_t, std::shared_ptr<const Plan>> versions;
    Hook hook; ///< may be empty
};

/// What Sagas does, whatever the state is.
class SagasBase {
public:
    SagasBase(Database& database, std::shared_ptr<Family> family) : database_(database), family_(std::move(family)) {}

protected:
    void add_version(std::shared_ptr<const Plan> plan);
    bool start_json(Transaction& transaction, std::string id, std::string state) const;
    task<Result<std::optional<std::string>>> state_json(Context& context, std::string id) const;
    task<Result<View>> wait_for(Context& context, std::string id, std::function<bool(const View&)> condition,
                                Duration wait) const;

    Database& database_;
    std::shared_ptr<Family> family_;

public:
    /// Asks for the end of a saga that cannot be undone any more is refused: conflict `saga_past_pivot`. Otherwise the
    /// saga compensates, with that reason; one that does, or has, stays as it is. In the caller's transaction. Errors
    /// also: not_found `saga_not_found`.
    Result<void> cancel(Transaction& transaction, std::string_view id, std::string_view reason) const;

    /// A point read, on the loop. Errors: the database's.
    task<Result<std::optional<View>>> find(Context& context, std::string id) const;
    /// Waits until it has settled: completed, compensated or parked; but no longer than `wait`, or the context's
    /// deadline: what stands then, settled or not. For `Prefer: wait=N`. Errors: not_found `saga_not_found`, the
    /// database's.
    task<Result<View>> settled(Context& context, std::string id, Duration wait) const;
    /// The same until the condition holds, or it has settled; the condition is asked at every change.
    task<Result<View>> until(Context& context, std::string id, std::function<bool(const View&)> condition,
                             Duration wait) const;
};

} // namespace detail

/// The sagas of one definition in this service: starts, cancels, finds and awaits them. From Engine::sagas(). Any host
/// of the service may; the one that holds the database's role drives them. Thread-safety: none, but what takes a
/// Transaction may be called from its body.
template <class State>
class Sagas : public detail::SagasBase {
public:
    using SagasBase::SagasBase;

    /// Adds a version of the definition: those that are to be started (the highest) and those that still run. While the
    /// service is installed. Throws std::logic_error for a version that is there already, and another name.
    Sagas& define(const Definition<State>& definition) {
        add_version(definition.plan());
        return *this;
    }
    /// Calls a plain function `void T::method(Transaction&, const Change<State>&)` (or Result<void>) in the transaction
    /// in which a saga is started, comes to another step or status: there the service changes its own rows. An error
    /// ends the transaction, which is tried again until it succeeds.
    template <class T, class Outcome>
    Sagas& on_change(Outcome (T::*method)(Transaction&, const Change<State>&), T& object) {
        family_->hook = [method, &object](Transaction& transaction, const View& saga, std::string_view json,
                                          const Error* refusal) -> Result<void> {
            auto state = json::parse<State>(json);
            if (!state) return std::move(state.error());
            if constexpr (std::is_void_v<Outcome>) {
                (object.*method)(transaction, {saga, *state, refusal});
                return {};
            } else {
                return (object.*method)(transaction, {saga, *state, refusal});
            }
        };
        return *this;
    }

    /// Starts a saga in the business transaction: it runs if and when that commits, once, under the definition's
    /// highest version. False, and nothing has changed, when there is a saga of that id already. The id is unique among
    /// the service's sagas: the order's id, say.
    bool start(Transaction& transaction, std::string id, const State& state) const {
        return start_json(transaction, std::move(id), json::write(state));
    }
    /// The state as it is in the database; none: there is no such saga.
    task<Result<std::optional<State>>> state(Context& context, std::string id) const {
        auto json = co_await must(state_json(context, std::move(id)));
        if (!json) co_return std::optional<State>();
        co_return std::optional<State>(co_await must(json::parse<State>(*json)));
    }
};

} // namespace flotilla::saga
