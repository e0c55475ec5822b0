#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/aio/deadline.hpp>
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

    /// What failed elsewhere in the program, too: its checks that failed, and the worse of both states.
    void add_failures(const HealthReport& other);
};

/// The dependencies of an instance. A failed required one makes it unavailable, any other degraded: it keeps serving
/// from what it knows, and says so. Thread-safety: none; belongs to a loop.
class HealthChecks {
public:
    void add(std::string name, std::function<Result<void>()> check, bool required);
    /// Shows a state that is no fault, whichever it is: ok, with that detail; nothing while it is empty. Of a name that
    /// also has a check it is the detail while that is ok.
    void show(std::string name, std::function<std::string()> detail);
    /// Fills status and checks. draining: the instance is going away and unavailable for new work.
    HealthReport report(bool draining) const;

private:
    struct Check {
        std::string name;
        std::function<Result<void>()> run;
        bool required;
    };
    struct Shown {
        std::string name;
        std::function<std::string()> detail;
    };
    std::vector<Check> checks_;
    std::vector<Shown> shown_;
};

/// What a process's primary loop last found. Its other loops have no outbox, jobs or consumers to ask and answer this,
/// so that it does not matter which loop a probe meets. Thread-safe.
class HealthBoard {
public:
    void post(HealthReport report, Instant now);
    /// The last report; "unavailable" when it is old, since the primary loop hangs then, or when there is none yet.
    HealthReport last(Instant now) const;

private:
    mutable std::mutex mutex_;
    HealthReport report_;
    std::optional<Instant> posted_;
};

} // namespace flotilla
