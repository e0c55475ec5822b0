#include <flotilla/saga/instance.hpp>

#include <algorithm>

namespace flotilla::saga {

StepMark& Instance::mark(const std::string& name) {
    const auto known = std::ranges::find(steps, name, &StepMark::name);
    return known != steps.end() ? *known : steps.emplace_back(name);
}

View view_of(const Instance& instance) {
    return {.id = instance.id,
            .saga = instance.definition,
            .version = instance.definition_version,
            .status = instance.status,
            .direction = instance.direction,
            .step = instance.step,
            .steps = instance.steps,
            .attempt = instance.attempt,
            .past_pivot = instance.past_pivot,
            .reason = instance.reason,
            .started_at = instance.started_at,
            .progressed_at = instance.progressed_at,
            .due_at = instance.due_at,
            .deadline = instance.deadline,
            .stuck_at = instance.stuck_at,
            .finished_at = instance.finished_at};
}

std::string missing_handler(const Instance& instance, const detail::Plan* plan) {
    const auto version = instance.definition + " version " + std::to_string(instance.definition_version);
    if (plan == nullptr) return "this program has no " + version;
    for (const auto& mark : instance.steps) {
        const bool needed =
            mark.name == instance.step || mark.state == StepState::sent || mark.state == StepState::done;
        if (needed && plan->index_of(mark.name) == plan->steps.size())
            return "this program's " + version + " has no step " + mark.name;
    }
    return {};
}

} // namespace flotilla::saga
