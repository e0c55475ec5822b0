#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/ranges.h>

#include <flotilla/node/fault_file.hpp>

#include "cli/chaos_order.hpp"
#include "cli/command_hint.hpp"
#include "cli/commands.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/fleet_faults.hpp"
#include "cli/fleet_state.hpp"
#include "cli/terminal.hpp"

namespace flotilla::cli {
namespace {

/// Carries out one order on a running fleet.
class Chaos {
public:
    Chaos(const FleetOptions& options, const DataFolder& folder, const FleetState& state)
        : options_(options), folder_(folder), state_(state) {}

    Result<void> carry_out(const ChaosOrder& order) {
        switch (order.action) {
        case ChaosAction::kill:
            return signal(member(order.members.front()), SIGKILL);
        case ChaosAction::stop:
            return signal(member(order.members.front()), SIGSTOP);
        case ChaosAction::heal:
            return heal(order.members);
        default:
            return put(order);
        }
    }

private:
    const MemberState& member(const std::string& name) const {
        return *std::ranges::find(state_.members, name, &MemberState::name);
    }
    std::string heal_hint(const std::string& name) const { return command_hint(options_, "chaos heal " + name); }

    Result<void> signal(const MemberState& member, int number) const {
        if (!may_signal(member.process))
            return Error(Kind::forbidden, member.name + " belongs to another user; only that user or root can do that");
        if (!send_signal(member.process, number)) return Error(Kind::unavailable, member.name + " does not run");
        const auto who = member.name + " (pid " + std::to_string(member.process.pid) + ")";
        if (number == SIGKILL) {
            std::printf("%s is killed; %s\n", who.c_str(),
                        is_alive(state_.supervisor) ? "its supervisor starts it again." : "nobody starts it again.");
        } else {
            std::printf("%s is stopped; `%s` lets it go on.\n", who.c_str(), heal_hint(member.name).c_str());
        }
        return {};
    }

    /// What works inside a service.
    Result<void> put(const ChaosOrder& order) const {
        if (!state_.chaos.value_or(false)) {
            return Error(Kind::conflict, "the services of the fleet on " + folder_.root +
                                             " take no faults (kill and stop need none): start it with `" +
                                             command_hint(options_, "up --chaos") + "`, after `" +
                                             command_hint(options_, "down") + "`");
        }
        for (const auto& name : order.members) {
            auto plan = read_fault_plan(folder_.fault_file(name));
            if (!plan) return std::move(plan.error());
            add(order, *plan);
            if (auto written = write_fault_plan(folder_.fault_file(name), *plan); !written) return written;
            std::printf("%s: %s; `%s` ends it.\n", name.c_str(), describe_faults(*plan, folder_, state_).c_str(),
                        heal_hint(name).c_str());
        }
        return {};
    }

    void add(const ChaosOrder& order, FaultPlan& plan) const {
        if (order.action == ChaosAction::slow) plan.slow_ms = order.amount;
        if (order.action == ChaosAction::fail) plan.fail_percent = order.amount;
        for (const auto& name : order.from) {
            for (auto& address : addresses_of(member(name), folder_)) {
                if (std::ranges::find(plan.cut_off, address) == plan.cut_off.end())
                    plan.cut_off.push_back(std::move(address));
            }
        }
    }

    Result<void> heal(const std::vector<std::string>& names) const {
        std::vector<std::string> healed;
        for (const auto& name : names) {
            const auto path = folder_.fault_file(name);
            const bool faulty = std::filesystem::exists(path);
            const auto& process = member(name).process;
            if (!faulty && !is_stopped(process)) continue;
            if (auto written = write_fault_plan(path, {}); !written) return written;
            if (is_stopped(process) && !send_signal(process, SIGCONT))
                return Error(Kind::forbidden, name + " belongs to another user; only that user or root can do that");
            healed.push_back(name);
        }
        if (healed.empty()) {
            std::printf("There is nothing to heal.\n");
        } else {
            std::printf("%s %s.\n", fmt::format("{}", fmt::join(healed, ", ")).c_str(),
                        healed.size() == 1 ? "is as it was" : "are as they were");
        }
        return {};
    }

    const FleetOptions& options_;
    const DataFolder& folder_;
    const FleetState& state_;
};

/// What has been done so far, and what could be.
int show(const FleetState& state, const DataFolder& folder) {
    std::vector<Row> rows;
    for (const auto& member : state.members) {
        if (auto fault = fault_of(member, folder, state); !fault.empty())
            rows.push_back({{{member.name, bold()}, {std::move(fault)}}});
    }
    std::printf("%s", rows.empty() ? "Nothing is broken on purpose.\n" : aligned(rows).c_str());
    std::printf("./flotilla chaos %s\n", std::string(kChaosHelp).c_str());
    return 0;
}

} // namespace

int chaos(const ChaosOptions& options) {
    const auto folder = data_folder(options.fleet.data);
    auto state = find_fleet(options.fleet, folder);
    if (!state) {
        std::fprintf(stderr, "%s\n", state.error().message().c_str());
        return 1;
    }
    if (!*state) {
        std::fprintf(stderr, "No fleet runs on %s. Start one with %s\n", folder.root.c_str(),
                     command_hint(options.fleet, "up --chaos").c_str());
        return 1;
    }
    if (options.words.empty()) return show(**state, folder);
    std::vector<std::string> names;
    for (const auto& member : (*state)->members)
        names.push_back(member.name);
    auto order = read_chaos_order(options.words, names);
    Result<void> done;
    if (order)
        done = Chaos(options.fleet, folder, **state).carry_out(*order);
    else
        done = std::move(order.error());
    if (done) return 0;
    std::fprintf(stderr, "chaos: %s\n", done.error().message().c_str());
    return done.error().kind() == Kind::invalid ? 2 : 1;
}

} // namespace flotilla::cli
