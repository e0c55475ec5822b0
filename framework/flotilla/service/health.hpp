#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// One dependency as /readyz shows it.
struct CheckReport {
    std::string status; ///< "ok" or "failed"
    std::optional<std::string> detail;
};

/// The body of /readyz and /healthz.
struct HealthReport {
    std::string status; ///< "ok", "degraded" (serving, but a dependency is missing) or "unavailable"
    std::string service;
    std::string instance;
    std::string version;
    std::map<std::string, CheckReport> checks;
};

/// The dependencies of an instance. A failed required one makes it unavailable, any other degraded: it keeps serving
/// from what it knows, and says so. Thread-safety: none; belongs to a loop.
class HealthChecks {
public:
    void add(std::string name, std::function<Result<void>()> check, bool required);
    /// Fills status and checks. draining: the instance is going away and unavailable for new work.
    HealthReport report(bool draining) const;

private:
    struct Check {
        std::string name;
        std::function<Result<void>()> run;
        bool required;
    };
    std::vector<Check> checks_;
};

} // namespace flotilla
