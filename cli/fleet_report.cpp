#include "cli/fleet_report.hpp"

#include <algorithm>

#include <flotilla/aio/scope.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/node/health.hpp>

#include "cli/fleet_faults.hpp"
#include "cli/terminal.hpp"

namespace flotilla::cli {
namespace {

/// "bus: connection refused; outbox: 3 events wait"
std::string failed_checks(const HealthReport& health) {
    std::string text;
    for (const auto& [name, check] : health.checks) {
        if (check.status == "ok") continue;
        if (!text.empty()) text += "; ";
        text += name + ": " + check.detail.value_or(check.status);
    }
    return text;
}

task<Result<MemberReport>> report_member(Context& context, http::Client& http, MemberState member, std::string fault) {
    MemberReport report{.name = member.name,
                        .state = "down",
                        .address = "http://127.0.0.1:" + std::to_string(member.port),
                        .pid = member.process.pid,
                        .restarts = member.restarts};
    if (!is_alive(member.process)) {
        report.pid = 0;
        report.detail = member.last_exit ? "ended: " + *member.last_exit : "not running";
        co_return report;
    }
    if (member.started_at)
        report.uptime_seconds = (context.world().now() - *member.started_at) / std::chrono::seconds(1);
    report.state = "not ready";
    if (!fault.empty()) report.detail = "on purpose: " + fault;
    if (is_stopped(member.process)) co_return report;
    http::Request request;
    request.head.target = "/readyz";
    request.head.authority = "127.0.0.1";
    auto response = co_await http.fetch(context, Address::tcp("127.0.0.1", static_cast<std::uint16_t>(member.port)),
                                        std::move(request));
    if (!response) {
        report.detail = response.error().message();
        co_return report;
    }
    auto health = json::parse<HealthReport>(response->body);
    if (health && !failed_checks(*health).empty()) report.detail = failed_checks(*health);
    if (response->status() == 200) report.state = health && health->status == "degraded" ? "degraded" : "ok";
    co_return report;
}

std::string duration_text(std::int64_t seconds) {
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    return std::to_string(seconds / 3600) + " h";
}

} // namespace

task<Result<FleetReport>> report_fleet(Context& context, DataFolder folder, FleetState state) {
    Context asking(context, Duration(std::chrono::seconds(2)));
    http::Client http(context.world());
    std::vector<task<Result<MemberReport>>> questions;
    for (const auto& member : state.members)
        questions.push_back(report_member(asking, http, member, fault_of(member, folder, state)));
    auto members = co_await must(all(asking, std::move(questions)));
    co_return FleetReport{state.fleet, folder.root, is_alive(state.supervisor), std::move(members)};
}

task<Result<FleetReport>> report_settled_fleet(Context& context, DataFolder folder, FleetState state) {
    const auto end = context.world().monotonic() + Duration(std::chrono::seconds(3));
    while (true) {
        auto report = co_await must(report_fleet(context, folder, state));
        const bool settled =
            std::ranges::all_of(report.members, [](const auto& member) { return member.state == "ok"; });
        if (settled || context.world().monotonic() > end) co_return report;
        co_await must(sleep_for(context, std::chrono::milliseconds(50)));
    }
}

bool all_serving(const FleetReport& report) {
    return std::ranges::all_of(report.members,
                               [](const auto& member) { return member.state == "ok" || member.state == "degraded"; });
}

std::string describe(const FleetReport& report, const std::string& up) {
    std::vector<Row> rows;
    for (const auto& member : report.members) {
        const auto colour = member.state == "ok" ? green() : member.state == "degraded" ? yellow() : red();
        rows.push_back({{{member.name, bold()},
                         {member.state, colour},
                         {member.address},
                         {member.pid ? std::to_string(member.pid) : "-"},
                         {member.pid ? duration_text(member.uptime_seconds) : "-"},
                         {member.restarts ? std::to_string(member.restarts) : "-",
                          member.restarts ? yellow() : std::string_view()}},
                        member.detail.value_or("")});
    }
    std::string text = "\n  ";
    text.append(bold()).append(report.fleet).append(plain()).append("  ");
    text.append(dim()).append(report.data).append(plain()).append("\n\n");
    text += table({"SERVICE", "HEALTH", "ADDRESS", "PID", "UPTIME", "RESTARTS"}, rows);
    if (!report.supervised) {
        text.append("\n  ").append(yellow()).append("Nobody supervises this fleet: what dies stays down.");
        text.append(plain()).append(" `").append(up).append("` takes it over.\n");
    }
    return text += '\n';
}

} // namespace flotilla::cli
