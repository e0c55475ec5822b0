#include <flotilla/node/health.hpp>

namespace flotilla {
namespace {

constexpr Duration kStaleAfter = std::chrono::seconds(5);

/// A check with a bug says so, as one that fails does: the page is there to tell what is wrong.
Result<void> outcome_of(const std::function<Result<void>()>& check) {
    try {
        return check();
    } catch (const std::exception& bug) {
        return Error(Kind::internal, std::string("the check threw: ") + bug.what());
    }
}

} // namespace

void HealthReport::add_failures(const HealthReport& other) {
    for (const auto& [name, check] : other.checks)
        if (check.status != "ok") checks[name] = check;
    if (other.status == "unavailable" || status == "ok") status = other.status;
}

void HealthChecks::add(std::string name, std::function<Result<void>()> check, bool required) {
    checks_.push_back({std::move(name), std::move(check), required});
}

void HealthChecks::show(std::string name, std::function<std::string()> detail) {
    shown_.push_back({std::move(name), std::move(detail)});
}

HealthReport HealthChecks::report(bool draining) const {
    HealthReport report{.status = "ok"};
    for (const auto& check : checks_) {
        auto outcome = outcome_of(check.run);
        if (outcome) {
            report.checks[check.name] = {"ok", std::nullopt};
            continue;
        }
        report.checks[check.name] = {"failed", outcome.error().message()};
        if (check.required) {
            report.status = "unavailable";
        } else if (report.status == "ok") {
            report.status = "degraded";
        }
    }
    for (const auto& shown : shown_) {
        auto detail = shown.detail();
        if (detail.empty()) continue;
        auto& check = report.checks.try_emplace(shown.name, "ok").first->second;
        if (check.status == "ok") check.detail = std::move(detail);
    }
    if (draining) report.status = "unavailable";
    return report;
}

void HealthBoard::post(HealthReport report, Instant now) {
    const std::lock_guard lock(mutex_);
    report_ = std::move(report);
    posted_ = now;
}

HealthReport HealthBoard::last(Instant now) const {
    const std::lock_guard lock(mutex_);
    if (posted_ && now - *posted_ <= kStaleAfter) return report_;
    HealthReport report{.status = "unavailable"};
    report.checks["primary loop"] = {"failed", posted_ ? "does not answer" : "has not started yet"};
    return report;
}

} // namespace flotilla
