#include "cli/supervisor.hpp"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <ranges>

#include "cli/log_line.hpp"
#include "cli/port_owner.hpp"

namespace flotilla::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kReadyTimeout = 30s;
constexpr Duration kStopTimeout = 15s; // above the services' own drain time
constexpr Duration kLookEvery = 50ms;
constexpr Duration kPauseMin = 100ms;
constexpr Duration kPauseMax = 10s;
constexpr Duration kStableAfter = 30s; // a process that lived that long starts again without a pause
constexpr std::size_t kLogLines = 12;

std::int64_t modification_time(const std::string& file) {
    std::error_code missing;
    const auto time = std::filesystem::last_write_time(file, missing);
    return missing ? 0 : time.time_since_epoch().count();
}

/// Whether the files it was started from are still the same.
bool is_current(const MemberState& known, const PlannedMember& planned) {
    return known.binary_changed == modification_time(planned.command.binary) &&
           known.config_changed.value_or(0) == modification_time(planned.config_file);
}

bool runs_as_planned(const MemberState& known, const PlannedMember& planned) {
    std::vector<std::string> wanted{planned.command.binary};
    wanted.insert(wanted.end(), planned.command.arguments.begin(), planned.command.arguments.end());
    return is_current(known, planned) && command_line(known.process.pid) == wanted;
}

} // namespace

task<Result<void>> check_ready(Context& context, http::Client& http, int port) {
    Context attempt(context, Duration(2s));
    http::Request request;
    request.head.target = "/readyz";
    request.head.authority = "127.0.0.1";
    auto response = co_await must(
        http.fetch(attempt, Address::tcp("127.0.0.1", static_cast<std::uint16_t>(port)), std::move(request)));
    if (response.status() == 200) co_return Result<void>();
    co_return Error(Kind::unavailable, "/readyz answers " + std::to_string(response.status()) + ": " + response.body);
}

Supervisor::Supervisor(World& world, DataFolder folder, FleetState state, Logger log)
    : world_(world), folder_(std::move(folder)), state_(std::move(state)), log_(std::move(log)), http_(world) {}

Supervisor::Member* Supervisor::find(std::string_view name) {
    const auto found = std::ranges::find_if(members_, [&](const Member& member) { return member.plan.name == name; });
    return found == members_.end() ? nullptr : &*found;
}

Result<void> Supervisor::record() {
    state_.members.clear();
    for (const auto& member : members_)
        state_.members.push_back(member.state);
    return write_state(folder_, state_);
}

void Supervisor::save() {
    if (auto written = record(); !written) log_.error(written.error().message());
}

Result<void> Supervisor::launch(Member& member) {
    member.state.name = member.plan.name;
    member.state.port = member.plan.port;
    member.state.log_file = member.plan.command.log_file;
    member.state.binary = member.plan.command.binary;
    member.state.binary_changed = modification_time(member.plan.command.binary);
    member.state.config_changed = modification_time(member.plan.config_file);
    member.state.started_at = world_.now();
    member.started = world_.monotonic();
    member.restart_at = Instant::max();
    member.exit.clear();
    member.taken_over = false;
    if (auto rotated = rotate_log(member.plan.command.log_file); !rotated) log_.warning(rotated.error().message());
    bool recorded = false;
    auto process = start_process(member.plan.command, [&](const ProcessIdentity& started) {
        member.state.process = started;
        auto written = record();
        recorded = written.has_value();
        return written;
    });
    if (process) return {};
    member.state.process = {};
    if (recorded) save();
    return std::move(process.error()).with_context(member.plan.name);
}

/// What an earlier supervisor left running: kept where it is what is planned, stopped otherwise.
task<Result<void>> Supervisor::take_over(Context& context, const std::vector<PlannedMember>& plan) {
    const auto left_behind = std::exchange(state_.members, {});
    for (const auto& planned : plan)
        members_.push_back(
            {.plan = planned,
             .state = {.name = planned.name, .port = planned.port, .log_file = planned.command.log_file}});
    std::vector<Member> strays;
    for (const auto& known : left_behind) {
        if (!is_alive(known.process)) continue;
        auto* member = find(known.name);
        if (member && runs_as_planned(known, member->plan)) {
            member->state = known;
            member->taken_over = true;
            member->started = world_.monotonic();
            log_.info("took over", {{"member", known.name}, {"pid", known.process.pid}});
        } else {
            log_.info("stops what is not as planned", {{"member", known.name}, {"pid", known.process.pid}});
            send_signal(known.process, SIGTERM);
            strays.push_back({.plan = {.name = known.name, .command = {}}, .state = known});
        }
    }
    for (auto& stray : strays)
        co_await must(stop_member(context, stray));
    co_return Result<void>();
}

Result<void> Supervisor::check_ports() const {
    std::vector<const PlannedMember*> to_start;
    for (const auto& member : members_) {
        if (!is_alive(member.state.process)) to_start.push_back(&member.plan);
    }
    return check_ports_free(to_start);
}

task<Result<void>> Supervisor::start(Context& context, std::vector<PlannedMember> plan) {
    co_await must(take_over(context, plan));
    co_await must(check_ports());
    if (std::ranges::none_of(members_, &Member::taken_over)) remove_faults(folder_);
    save();
    // The hub first: services find each other there. The rest starts together.
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (!is_alive(members_[i].state.process)) co_await must(launch(members_[i]));
        if (i == 0) co_await must(wait_ready(context, {members_[0].plan.name}));
    }
    std::vector<std::string> names;
    for (const auto& member : members_)
        names.push_back(member.plan.name);
    co_return co_await wait_ready(context, std::move(names));
}

Error Supervisor::not_ready(const Member& member, const std::string& why) const {
    std::string text = member.plan.name + " " + why + "; the last lines of " + member.state.log_file + ":";
    for (auto& line : last_lines(member.state.log_file, kLogLines))
        text += "\n  " + pretty(read_log_line(member.plan.name, std::move(line)));
    return Error(Kind::unavailable, text);
}

task<Result<void>> Supervisor::wait_ready(Context& context, std::vector<std::string> names) {
    const auto end = world_.monotonic() + kReadyTimeout;
    std::map<std::string, ProcessIdentity> waiting;
    for (const auto& name : names)
        waiting[name] = find(name)->state.process;
    while (!waiting.empty()) {
        reap();
        for (const auto& [name, process] : waiting) {
            if (is_alive(process)) continue;
            reap(); // it may have ended since we did
            // Whoever watches may have started it again already, and then keeps how it ended in its state.
            const auto& member = *find(name);
            const auto exit = member.state.process == process ? member.exit : member.state.last_exit.value_or("");
            co_return not_ready(member, "ended while starting" + (exit.empty() ? "" : " (" + exit + ")"));
        }
        const auto name = waiting.begin()->first;
        auto ready = co_await check_ready(context, http_, find(name)->plan.port);
        if (ready && is_alive(waiting[name])) {
            waiting.erase(name);
            continue;
        }
        co_await must(context.check());
        if (!ready && world_.monotonic() > end)
            co_return not_ready(*find(name), "did not become ready: " + ready.error().message());
        co_await must(sleep_for(context, 20ms));
    }
    co_return Result<void>();
}

void Supervisor::reap() {
    for (auto& [pid, how] : reap_children()) {
        const auto ended =
            std::ranges::find(members_, pid, [](const Member& member) { return member.state.process.pid; });
        if (ended != members_.end()) ended->exit = how;
    }
}

void Supervisor::look_after(Member& member) {
    if (member.held || is_alive(member.state.process)) return;
    reap(); // it may have ended since watch() did
    const auto now = world_.monotonic();
    if (member.restart_at == Instant::max()) {
        member.state.last_exit = member.exit.empty() ? "ended" : member.exit;
        if (now - member.started > kStableAfter) member.pause = Duration::zero();
        member.restart_at = now + member.pause;
        log_.warning("a process ended",
                     {{"member", member.plan.name},
                      {"pid", member.state.process.pid},
                      {"how", *member.state.last_exit},
                      {"restart_in_ms", std::chrono::duration_cast<std::chrono::milliseconds>(member.pause).count()}});
        member.pause = std::clamp(member.pause * 2, kPauseMin, kPauseMax);
        save();
    }
    if (now < member.restart_at) return;
    ++member.state.restarts;
    if (auto launched = launch(member); !launched) log_.error(launched.error().message());
}

task<void> Supervisor::watch(Context& context) {
    while (!context.cancelled()) {
        reap();
        for (auto& member : members_)
            look_after(member);
        (void)co_await sleep_for(context, kLookEvery); // a cancelled sleep ends the loop above
    }
}

task<Result<void>> Supervisor::stop_member(Context& context, Member& member) {
    member.held = true;
    const auto process = member.state.process;
    const auto end = world_.monotonic() + kStopTimeout;
    bool killed = false;
    send_signal(process, SIGTERM);
    send_signal(process, SIGCONT); // one that is stopped hears nothing else
    while (is_alive(process)) {
        if (!killed && world_.monotonic() > end) {
            killed = true;
            log_.warning("does not stop; killing it", {{"member", member.plan.name}});
            send_signal(process, SIGKILL);
        }
        co_await must(sleep_for(context, 10ms));
        reap();
    }
    co_return Result<void>();
}

task<Result<void>> Supervisor::apply(Context& context, std::vector<PlannedMember> plan) {
    std::vector<std::string> changed;
    for (auto& member : members_) {
        const auto wanted = std::ranges::find(plan, member.plan.name, &PlannedMember::name);
        const bool same = wanted != plan.end() && *wanted == member.plan && is_current(member.state, member.plan);
        if (!same) changed.push_back(member.plan.name);
    }
    for (const auto& name : changed) {
        co_await must(stop_member(context, *find(name)));
        const auto wanted = std::ranges::find(plan, name, &PlannedMember::name);
        if (wanted == plan.end()) {
            std::erase_if(members_, [&](const Member& member) { return member.plan.name == name; });
            save();
            continue;
        }
        Member* member = find(name);
        member->plan = *wanted;
        member->held = false; // from here on a failing start is tried again like any other
        co_await must(launch(*member));
        log_.info("restarted", {{"member", name}});
        // The others of its service answer meanwhile, and one after another they are all restarted.
        if (member->plan.one_of_several) co_await must(wait_ready(context, {name}));
    }
    for (auto& planned : plan) {
        if (find(planned.name)) continue;
        co_await must(check_ports_free({&planned}));
        changed.push_back(planned.name);
        members_.push_back({.plan = std::move(planned), .state = {}});
        co_await must(launch(members_.back()));
    }
    std::erase_if(changed, [&](const std::string& name) { return !find(name); });
    co_return co_await wait_ready(context, changed);
}

void Supervisor::note_reload(const Result<void>& outcome) {
    if (!outcome) log_.error("could not apply the changed fleet", {{"error", outcome.error().message()}});
    state_.reloads = state_.reloads.value_or(0) + 1;
    state_.reload_error = outcome ? std::nullopt : std::optional(outcome.error().message());
    save();
}

/// The gateway first, so that nobody knocks at a service that is gone; then the services together; the hub last.
task<void> Supervisor::stop_in_order(Context& context, std::vector<Member*> ending) {
    for (auto* member : ending)
        member->held = true;
    for (auto* member : ending | std::views::reverse) {
        if (member == &members_.front()) continue; // the hub
        if (member->plan.name != "gateway") send_signal(member->state.process, SIGTERM);
        auto stopped = member->plan.name == "gateway" ? co_await stop_member(context, *member) : Result<void>();
        if (!stopped) log_.error(stopped.error().message());
    }
    for (auto* member : ending | std::views::reverse) {
        auto stopped = co_await stop_member(context, *member);
        if (!stopped) log_.error(stopped.error().message());
    }
}

task<bool> Supervisor::give_up(Context& context) {
    std::vector<Member*> launched;
    for (auto& member : members_) {
        if (!member.taken_over) launched.push_back(&member);
    }
    co_await stop_in_order(context, std::move(launched));
    const bool others_run = std::ranges::any_of(members_, [](const Member& m) { return is_alive(m.state.process); });
    if (others_run) {
        save();
    } else {
        remove_state(folder_);
    }
    co_return others_run;
}

task<void> Supervisor::stop(Context& context) {
    std::vector<Member*> everyone;
    for (auto& member : members_)
        everyone.push_back(&member);
    co_await stop_in_order(context, std::move(everyone));
    remove_faults(folder_);
    remove_state(folder_);
}

} // namespace flotilla::cli
