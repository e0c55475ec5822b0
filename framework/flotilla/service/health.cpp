#include <flotilla/service/health.hpp>

namespace flotilla {

void HealthChecks::add(std::string name, std::function<Result<void>()> check, bool required) {
    checks_.push_back({std::move(name), std::move(check), required});
}

HealthReport HealthChecks::report(bool draining) const {
    HealthReport report{.status = "ok"};
    for (const auto& check : checks_) {
        auto outcome = check.run();
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
    if (draining) report.status = "unavailable";
    return report;
}

} // namespace flotilla
