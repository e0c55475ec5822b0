#pragma once

#include <memory>
#include <string>

#include <flotilla/store/sqlite/connection.hpp>

struct sqlite3_backup;

namespace flotilla::sqlite {

/// A copy of a database while it is in use (SQLite's online backup), in one file that stands alone. In steps it takes
/// along what the source's own connection changes meanwhile, and starts over when another one changes something; inside
/// a read transaction of the source it copies what that one sees. Writes and checkpoints nothing there.
/// Thread-safety: none, as the source. Requires: ends before the source does.
class OnlineCopy {
public:
    /// Errors: unavailable, when the target exists or cannot be made.
    static Result<std::unique_ptr<OnlineCopy>> begin(Connection& source, const std::string& target);
    OnlineCopy(const OnlineCopy&) = delete;
    OnlineCopy& operator=(const OnlineCopy&) = delete;
    /// Removes the target unless it is complete.
    ~OnlineCopy();

    /// Copies so many pages more; all of them when negative. True once the copy is complete and on the disk; its folder
    /// is the caller's to sync. Requires: the source is in no transaction that writes. Errors: unavailable (the disk),
    /// database_damaged (the source cannot be read).
    Result<bool> step(int pages);

private:
    OnlineCopy(Connection& source, std::string target) : source_(source), target_(std::move(target)) {}
    Result<void> open();
    Result<void> finish();
    Error target_error() const;

    Connection& source_;
    const std::string target_;
    sqlite3* handle_ = nullptr; ///< of the target
    sqlite3_backup* backup_ = nullptr;
    bool complete_ = false;
};

} // namespace flotilla::sqlite
