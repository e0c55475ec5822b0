#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/duration.hpp>
#include <flotilla/saga/action.hpp>

namespace flotilla::saga {

/// How patient a step is.
struct StepOptions {
    Duration timeout = std::chrono::seconds(10); ///< of one try; twice that without an end counts as stuck
    int tries = 5;                               ///< whose outcome may stay unknown, before the saga gives the step up
    int undo_tries = 20;                         ///< of its compensation, before the saga is parked
    Duration retry_min = std::chrono::milliseconds(200); ///< before the next try, doubling up to retry_max, full jitter
    Duration retry_max = std::chrono::seconds(30);
};

struct DefinitionOptions {
    /// Of the whole saga: past it what is before the pivot is undone. 0: none.
    Duration timeout = std::chrono::minutes(15);
};

namespace detail {

struct PlannedStep {
    std::string name;
    std::shared_ptr<const Act> act;
    std::shared_ptr<const Act> undo; ///< null: there is nothing to undo
    bool pivot = false;
    StepOptions options = {};
};

/// A definition without the type of its state. Constant once it is made.
struct Plan {
    Plan(std::string name, int version, std::vector<PlannedStep> steps, DefinitionOptions options);

    std::string name;
    int version;
    std::vector<PlannedStep> steps;
    DefinitionOptions options;
    std::size_t pivot; ///< steps.size(): there is none

    /// steps.size(): there is none of that name.
    std::size_t index_of(std::string_view step) const;
};

} // namespace detail

/// A row of a definition: `step("inventory.reserve", call(inventory::reserve, &reservation)).undone_by(...)`.
template <class State>
class Step {
public:
    Step(std::string name, Action<State> action) { planned_ = {.name = std::move(name), .act = std::move(action.act)}; }

    /// What undoes it. It must accept that the step never happened, and see to it that a command which comes late is
    /// refused from then on.
    Step undone_by(Action<State> action) && {
        planned_.undo = std::move(action.act);
        return std::move(*this);
    }
    /// Once its command has left the saga only goes forward: neither it nor what comes behind is undone.
    Step pivot() && {
        planned_.pivot = true;
        return std::move(*this);
    }
    Step with(StepOptions options) && {
        planned_.options = options;
        return std::move(*this);
    }

    const detail::PlannedStep& planned() const { return planned_; }

private:
    detail::PlannedStep planned_;
};

/// Names are made of lower-case letters, digits, '.', '_' and '-', and stay the same in every version that has the
/// step.
template <class State>
Step<State> step(std::string name, Action<State> action) {
    return {std::move(name), std::move(action)};
}

/// A saga as data: its steps, in order, under a name and a version. A running saga ends under the version that it was
/// started with: one that changes the steps gets a new version, and the old one stays in the program until
/// `./flotilla saga check` says that no saga needs it. State is a described struct, kept as JSON; fields may be added
/// to it as optionals.
///
///     const saga::Definition<Checkout> checkout{"checkout", 1, {
///         step("payment.reserve", call(payment::authorise, &authorisation)).undone_by(call(payment::cancel,
///         &payment)), step("shipping.schedule", call(shipping::schedule, &shipment)).undone_by(call(shipping::cancel,
///         &shipment)), step("payment.capture", call(payment::capture, &payment)).pivot(), step("confirm",
///         local(&confirm)),
///     }};
///
/// Throws std::logic_error for what cannot work: no step, a name twice, two pivots, a compensation behind the pivot.
template <class State>
class Definition {
public:
    Definition(std::string name, int version, std::initializer_list<Step<State>> steps,
               DefinitionOptions options = {}) {
        std::vector<detail::PlannedStep> planned;
        for (const auto& each : steps)
            planned.push_back(each.planned());
        plan_ = std::make_shared<const detail::Plan>(std::move(name), version, std::move(planned), options);
    }
    const std::shared_ptr<const detail::Plan>& plan() const { return plan_; }

private:
    std::shared_ptr<const detail::Plan> plan_;
};

} // namespace flotilla::saga
