#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/result.hpp>
#include <flotilla/observe/log.hpp>

namespace flotilla {

/// Faults that somebody puts into one instance, to see that nobody notices (./flotilla chaos).
struct FaultPlan {
    std::int64_t slow_ms = 0;         ///< each request waits that long first
    std::int64_t fail_percent = 0;    ///< so many requests of a hundred fail
    std::vector<std::string> cut_off; ///< addresses that its calls do not reach: "127.0.0.1:3101", "unix:/path"

    bool operator==(const FaultPlan&) const = default;
};

/// The plan in a file; none when there is no file. Errors: invalid, unavailable; forbidden when another user owns the
/// file, or everybody may write it: whoever can write into the fleet's data folder may break the fleet, nobody else.
Result<FaultPlan> read_fault_plan(const std::string& path);
/// Replaces the file, or removes it when there is no fault. Errors: unavailable.
Result<void> write_fault_plan(const std::string& path, const FaultPlan& plan);

/// Looks at the file of a fault plan while an instance runs. Thread-safety: none; lives on one loop.
class FaultFile {
public:
    using Changed = std::function<void(const FaultPlan&)>;
    /// changed: called for each plan that is another one than before. A file that cannot be used is logged, and counts
    /// as no faults.
    FaultFile(std::string path, Logger log, Changed changed);
    /// Looks ten times a second until the context is cancelled.
    task<void> run(Context& context);

private:
    void look();

    const std::string path_;
    const Logger log_;
    const Changed changed_;
    FaultPlan plan_;
    std::string mistake_;
};

} // namespace flotilla
