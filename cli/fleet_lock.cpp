#include "cli/fleet_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace flotilla::cli {

FleetLock::FleetLock(const DataFolder& folder)
    : path_(folder.lock_file()), file_(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640)),
      open_error_(file_ < 0 ? errno : 0) {}

FleetLock::~FleetLock() {
    if (file_ >= 0) close(file_);
}

Result<void> FleetLock::take() {
    if (file_ < 0) return Error(Kind::unavailable, "cannot open " + path_ + ": " + std::strerror(open_error_));
    if (flock(file_, LOCK_EX | LOCK_NB) == 0) return {};
    if (errno == EWOULDBLOCK) {
        return Error(Kind::conflict, "another command starts, watches or backs up the fleet of " + path_);
    }
    return Error(Kind::unavailable, "cannot lock " + path_ + ": " + std::strerror(errno));
}

} // namespace flotilla::cli
