#pragma once

#include <string>

#include <flotilla/base/result.hpp>

#include "cli/fleet_state.hpp"

namespace flotilla::cli {

/// One supervisor per data folder: the lock ends with the process that holds it, however it ends.
class FleetLock {
public:
    explicit FleetLock(const DataFolder& folder);
    FleetLock(const FleetLock&) = delete;
    FleetLock& operator=(const FleetLock&) = delete;
    ~FleetLock();
    /// Errors: conflict when another supervisor has it; unavailable when the file cannot be opened or locked.
    Result<void> take();

private:
    std::string path_;
    int file_;
    int open_error_;
};

} // namespace flotilla::cli
