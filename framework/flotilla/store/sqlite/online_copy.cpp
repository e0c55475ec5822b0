#include <flotilla/store/sqlite/online_copy.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <sqlite3.h>

namespace flotilla::sqlite {
namespace {

/// SQLite's own way to the disk is switched off for the target: one fsync at the end does.
Result<void> sync_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int why = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (synced) return {};
    return Error(Kind::unavailable, "cannot write " + path + ": " + std::generic_category().message(why));
}

} // namespace

Result<std::unique_ptr<OnlineCopy>> OnlineCopy::begin(Connection& source, const std::string& target) {
    if (FileIdentity::of(target)) return Error(Kind::unavailable, target + " exists already");
    std::unique_ptr<OnlineCopy> copy(new OnlineCopy(source, target));
    if (auto opened = copy->open(); !opened) return std::move(opened.error());
    return copy;
}

Result<void> OnlineCopy::open() {
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    // Synced at the end; a copy that was cut off is no copy, so it needs no way back either.
    if (sqlite3_open_v2(target_.c_str(), &handle_, kFlags, nullptr) != SQLITE_OK ||
        sqlite3_exec(handle_, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", nullptr, nullptr, nullptr) !=
            SQLITE_OK) {
        return target_error();
    }
    backup_ = sqlite3_backup_init(handle_, "main", source_.handle(), "main");
    if (backup_ == nullptr) return target_error();
    return {};
}

OnlineCopy::~OnlineCopy() {
    sqlite3_backup_finish(backup_); // its outcome was step()'s
    sqlite3_close_v2(handle_);
    if (!complete_) ::unlink(target_.c_str());
}

Result<bool> OnlineCopy::step(int pages) {
    switch (const int code = sqlite3_backup_step(backup_, pages); code & 0xff) {
    case SQLITE_OK:
    case SQLITE_BUSY: // somebody holds the source for a moment
    case SQLITE_LOCKED:
        return false;
    case SQLITE_DONE: {
        auto finished = finish();
        if (!finished) return std::move(finished.error());
        return true;
    }
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: {
        auto error = FileDamage::error(source_.file(), sqlite3_errstr(code));
        source_.damage().note(error);
        return error;
    }
    default:
        return Error(Kind::unavailable,
                     "cannot copy " + source_.file() + " to " + target_ + ": " + sqlite3_errstr(code));
    }
}

Result<void> OnlineCopy::finish() {
    const int code = sqlite3_backup_finish(std::exchange(backup_, nullptr));
    if (code != SQLITE_OK) return target_error();
    if (sqlite3_close_v2(std::exchange(handle_, nullptr)) != SQLITE_OK)
        return Error(Kind::unavailable, "cannot close " + target_);
    if (auto synced = sync_file(target_); !synced) return synced;
    complete_ = true;
    return {};
}

Error OnlineCopy::target_error() const {
    return {Kind::unavailable,
            "cannot write " + target_ + ": " + (handle_ ? sqlite3_errmsg(handle_) : "no memory for a connection")};
}

} // namespace flotilla::sqlite
