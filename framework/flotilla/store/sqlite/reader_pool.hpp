#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <flotilla/store/sqlite/connection.hpp>

namespace flotilla::sqlite {

/// Reading connections for scans. As many are out as the blocking pool has threads; a few are kept for the next.
/// Thread-safe.
class ReaderPool {
public:
    ReaderPool(std::string file, std::string vfs) : file_(std::move(file)), vfs_(std::move(vfs)) {}

    /// Errors: unavailable with the reason.
    Result<std::unique_ptr<Connection>> take();
    void give_back(std::unique_ptr<Connection> connection);
    /// A connection that is not of the pool.
    Result<std::unique_ptr<Connection>> open() const;

private:
    const std::string file_;
    const std::string vfs_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;
};

} // namespace flotilla::sqlite
