#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <flotilla/observe/telemetry.hpp>
#include <flotilla/store/projection.hpp>
#include <flotilla/store/role.hpp>

namespace flotilla {

/// Keeps one version of a projection, or a subscription, up with the events of its database: a batch and its checkpoint
/// in one transaction. It works for the holder of the database's role: one that was followed is refused with its late
/// batch. An event that cannot be taken stops it there: those before it are taken, then that one is tried alone with
/// growing delay. It ends when a later version has become the live one. Thread-safety: none; lives on one loop.
class ProjectionRunner final : public RoleWork {
public:
    struct Options {
        std::int64_t batch = 256; ///< events in a transaction: others wait so long for the writer
        Duration retry_min = std::chrono::milliseconds(100); ///< doubling up to retry_max, full jitter
        Duration retry_max = std::chrono::seconds(5);
        Duration lag_max = std::chrono::seconds(60); ///< health() tells of events that wait longer for the live version
    };
    /// newest: of the projection's versions; it is to be the live one.
    ProjectionRunner(World& world, Tenure& tenure, const EventFollower& follower, bool newest, Telemetry& telemetry,
                     Options options);
    ~ProjectionRunner() override;

    task<void> run(Context& context) override;
    /// ok, or where it has stopped and why, or that events wait for longer than lag_max. For /readyz.
    Result<void> health() const override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla
