#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <flotilla/store/sqlite/file_lock.hpp>
#include <flotilla/store/sqlite/reader_pool.hpp>
#include <flotilla/store/sqlite/writer.hpp>
#include <flotilla/store/sqlite/writer_turns.hpp>

namespace flotilla::sqlite {

/// Where a database is and how it is opened: "sqlite:PATH[?OPTION=VALUE&...]", the path percent-encoded where it holds
/// `?`, `#` or `%`; sqlite_url() writes one. Options: `bodies=twice` runs every
/// transaction body twice (tests), `vfs=NAME` uses a registered SQLite VFS, `processes=several` lets further processes
/// of the same owner open the file that say so, too. The path `:memory:` (or `:memory:NAME`) is a database that lives
/// as long as it is open: a file on tmpfs, so that it behaves like any other.
struct Location {
    std::string path;
    std::string vfs;
    bool in_memory = false;
    bool bodies_twice = false;
    bool several_processes = false;

    /// Errors: invalid, naming what is wrong.
    static Result<Location> parse(std::string_view url);
};

/// What the Database objects of one process share on one file: the lock, the writer, the readers for scans.
class SharedFile {
public:
    struct Release {
        void operator()(SharedFile* file) const;
    };
    using Handle = std::unique_ptr<SharedFile, Release>;

    /// The one that is open already, or a new one. Thread-safe. Errors: unavailable (in use by another owner or
    /// process, or cannot be opened).
    static Result<Handle> open(World& world, const Location& location, std::string_view owner);
    SharedFile(const SharedFile&) = delete;
    SharedFile& operator=(const SharedFile&) = delete;
    ~SharedFile();

    Writer& writer() { return *writer_; }
    /// Whether all of the file was looked through when it was opened; see check_file().
    bool fully_checked() const { return fully_checked_; }
    /// A name made anew each time a process opens the file.
    const std::string& session() const { return session_; }
    /// See Database::has_ended.
    bool has_ended(std::string_view session) const;
    /// The other processes that may write the file; null: there are none.
    WriterTurns* turns() { return turns_.get(); }
    const std::shared_ptr<ReaderPool>& readers() const { return readers_; }

private:
    SharedFile(std::string key, std::string file, std::string owner, std::string session, FileLock lock)
        : key_(std::move(key)), file_(std::move(file)), owner_(std::move(owner)), session_(std::move(session)),
          lock_(std::move(lock)) {}
    static Result<std::unique_ptr<SharedFile>> create(World& world, const Location& location, std::string key,
                                                      std::string_view owner);
    Result<std::unique_ptr<Connection>> open_writer(const Location& location);

    const std::string key_; ///< in the registry
    const std::string file_;
    const std::string owner_;
    const std::string session_;
    FileLock lock_;
    bool temporary_ = false;
    bool fully_checked_ = true;
    std::size_t users_ = 0; ///< guarded by the registry's mutex
    std::unique_ptr<WriterTurns> turns_;
    std::shared_ptr<ReaderPool> readers_;
    std::unique_ptr<Writer> writer_;
};

} // namespace flotilla::sqlite
