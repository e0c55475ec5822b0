#include <flotilla/saga/definition.hpp>

#include <algorithm>
#include <stdexcept>

namespace flotilla::saga::detail {
namespace {

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 100 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

void check(const Plan& plan) {
    const auto refuse = [&plan](const std::string& what) { throw std::logic_error("saga " + plan.name + ": " + what); };
    if (!is_name(plan.name)) refuse("a name is made of lower-case letters, digits, '.', '_' and '-'");
    if (plan.version < 1) refuse("versions are 1, 2, 3, ...");
    if (plan.steps.empty()) refuse("it has no step");
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        const auto& step = plan.steps[i];
        if (!is_name(step.name)) refuse("the step \"" + step.name + "\" is named like no step");
        if (plan.index_of(step.name) != i) refuse("two steps are called " + step.name);
        if (step.pivot && i != plan.pivot) refuse("it has two pivots");
        if (step.undo && i >= plan.pivot) refuse(step.name + " has a compensation, but is not before the pivot");
        if (step.options.tries < 1 || step.options.undo_tries < 1) refuse(step.name + " is never tried");
        if (step.options.timeout <= Duration::zero()) refuse(step.name + " has no time");
    }
}

} // namespace

Plan::Plan(std::string its_name, int its_version, std::vector<PlannedStep> its_steps, DefinitionOptions its_options)
    : name(std::move(its_name)), version(its_version), steps(std::move(its_steps)), options(its_options),
      pivot(static_cast<std::size_t>(std::ranges::find(steps, true, &PlannedStep::pivot) - steps.begin())) {
    check(*this);
}

std::size_t Plan::index_of(std::string_view step) const {
    return static_cast<std::size_t>(std::ranges::find(steps, step, &PlannedStep::name) - steps.begin());
}

} // namespace flotilla::saga::detail
