#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include <flotilla/observe/telemetry.hpp>
#include <flotilla/saga/sagas.hpp>
#include <flotilla/service/calls.hpp>
#include <flotilla/store/role.hpp>

namespace flotilla::saga {

using Families = std::map<std::string, std::shared_ptr<const detail::Family>, std::less<>>;

/// Makes the calls of sagas: Calls, or a test's participants. Returns the answer as JSON.
using Caller =
    std::function<task<Result<std::string>>(Context&, const EndpointInfo&, const void* request, RepeatedCall&)>;

struct DriverOptions {
    std::size_t concurrency = 512;
    Duration keep = std::chrono::hours(7 * 24);
};

/// Drives the sagas of a database while its host holds the role. A transition is one transaction: what has happened,
/// the row compared by its version, the state, the next command's intent, the timer, the history; the command leaves
/// after its commit, by the coroutine that made it. Many transitions share a commit. What an earlier holder left is
/// taken up where its rows say. Thread-safety: none; lives on one loop.
class Driver final : public RoleWork {
public:
    Driver(World& world, Tenure& tenure, Families families, Caller caller, Telemetry& telemetry, DriverOptions options);
    ~Driver() override;

    task<void> run(Context& context) override;
    /// ok, or that sagas are parked or have made no progress, which and why, or that the database cannot be read.
    Result<void> health() const override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla::saga
