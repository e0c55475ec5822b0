#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <flotilla/observe/telemetry.hpp>
#include <flotilla/saga/saga_table.hpp>
#include <flotilla/store/role.hpp>

namespace flotilla::saga {

/// Looks after what does not go on by itself: counts what is in flight, tells of what is parked or has made no progress
/// for twice its step's timeout, and forgets what ended long ago. Thread-safety: none; lives on one loop.
class Watch {
public:
    Watch(World& world, Tenure& tenure, Telemetry& telemetry, Duration keep);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    /// What is in flight is the next holder's to tell.
    ~Watch();

    /// Does what it is time for. Errors: the database's.
    task<Result<void>> look(Context& context);
    /// Something is in flight: it may become stuck.
    void expect() { next_count_ = std::min(next_count_, world_.monotonic() + std::chrono::seconds(1)); }
    /// When to look again.
    Duration wait() const;
    /// ok, or what does not go on.
    Result<void> health() const;

private:
    task<Result<void>> count(Context& context);
    task<Result<void>> look_for_stuck(Context& context);
    task<Result<void>> forget(Context& context);

    World& world_;
    Tenure& tenure_;
    Logger log_;
    Metrics& metrics_;
    const Duration keep_;
    Gauge& stuck_gauge_;
    std::vector<table::Counts> counts_;
    std::int64_t in_flight_ = 0, parked_ = 0, stuck_ = 0;
    std::string first_stuck_, first_parked_; ///< in words
    Timestamp told_until_;                   ///< of those that are stuck, in the order of when they became so
    std::string told_id_;
    Instant next_count_{}, next_forget_{};
};

} // namespace flotilla::saga
