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
    ReaderPool(std::string file, std::string vfs, std::shared_ptr<FileDamage> damage)
        : file_(std::move(file)), vfs_(std::move(vfs)), damage_(std::move(damage)) {}

    /// Errors: unavailable with the reason.
    Result<std::unique_ptr<Connection>> take();
    void give_back(std::unique_ptr<Connection> connection);
    /// Closes what is kept, and from now on what comes back. A file is only emptied into by a writer that is the last.
    void close();
    /// A connection that is not of the pool.
    Result<std::unique_ptr<Connection>> open() const;

private:
    const std::string file_;
    const std::string vfs_;
    const std::shared_ptr<FileDamage> damage_;
    std::mutex mutex_;
    bool closed_ = false;
    std::vector<std::unique_ptr<Connection>> idle_;
};

} // namespace flotilla::sqlite
