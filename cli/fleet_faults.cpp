#include "cli/fleet_faults.hpp"

#include <algorithm>

namespace flotilla::cli {

std::vector<std::string> addresses_of(const MemberState& member, const DataFolder& folder) {
    return {"127.0.0.1:" + std::to_string(member.port), "unix:" + folder.socket_file(member.name)};
}

std::string describe_faults(const FaultPlan& plan, const DataFolder& folder, const FleetState& state) {
    std::string text;
    const auto add = [&text](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
    if (plan.slow_ms > 0) add("answers " + std::to_string(plan.slow_ms) + " ms later");
    if (plan.fail_percent > 0) add("fails " + std::to_string(plan.fail_percent) + " % of its requests");
    std::string unreached;
    for (const auto& member : state.members) {
        const auto address = addresses_of(member, folder).front();
        if (std::ranges::find(plan.cut_off, address) != plan.cut_off.end())
            unreached += (unreached.empty() ? "" : " and ") + member.name;
    }
    if (!unreached.empty()) add("does not reach " + unreached);
    return text;
}

std::string fault_of(const MemberState& member, const DataFolder& folder, const FleetState& state) {
    const auto plan = read_fault_plan(folder.fault_file(member.name));
    auto text = plan ? describe_faults(*plan, folder, state) : plan.error().message();
    if (is_stopped(member.process)) text = "stopped" + (text.empty() ? "" : ", " + text);
    return text;
}

} // namespace flotilla::cli
