#include <flotilla/store/sqlite/gathering_vfs.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

namespace flotilla::sqlite {
namespace {

constexpr std::size_t kGatheredBytesMax = 64 * 1024; // unixWrite() cannot take 128 KiB or more

/// What SQLite holds as a file: the system's file lies behind it in the same memory.
struct File {
    sqlite3_file base; // first: SQLite knows nothing else of it
    sqlite3_file* real;
    std::string gathered; ///< not written yet
    sqlite3_int64 at;     ///< where that begins
    int untold;           ///< a failed write of which nobody has heard

    static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
    const sqlite3_io_methods& methods() const { return *real->pMethods; }

    sqlite3_int64 end() const { return at + static_cast<sqlite3_int64>(gathered.size()); }

    int flush() {
        if (untold != SQLITE_OK) return std::exchange(untold, SQLITE_OK);
        if (gathered.empty()) return SQLITE_OK;
        const int code = methods().xWrite(real, gathered.data(), static_cast<int>(gathered.size()), at);
        // Also after a failure: SQLite takes the transaction back and may write something else there.
        gathered.clear();
        return code;
    }
    int write(std::string_view bytes, sqlite3_int64 offset) {
        const bool fits = offset == end() && gathered.size() + bytes.size() <= kGatheredBytesMax;
        if (!gathered.empty() && !fits) {
            if (const int code = flush(); code != SQLITE_OK) return code;
        }
        if (bytes.size() > kGatheredBytesMax) {
            return methods().xWrite(real, bytes.data(), static_cast<int>(bytes.size()), offset);
        }
        if (gathered.empty()) at = offset;
        try {
            gathered.append(bytes);
        } catch (const std::bad_alloc&) {
            return SQLITE_IOERR_NOMEM; // SQLite is C: nothing may be thrown through it
        }
        return SQLITE_OK;
    }
};

/// Writes what was gathered, then does the same to the system's file.
template <auto Method, class... Arguments>
int flush_then(sqlite3_file* file, Arguments... arguments) {
    File& self = File::of(file);
    if (const int code = self.flush(); code != SQLITE_OK) return code;
    return (self.methods().*Method)(self.real, arguments...);
}

/// The same with the system's file; the content is not concerned.
template <auto Method, class... Arguments>
auto forward(sqlite3_file* file, Arguments... arguments) {
    File& self = File::of(file);
    return (self.methods().*Method)(self.real, arguments...);
}

// SQLite does not look at what these two say (FCNTL_CKPT_DONE comes between the last page of a checkpoint and the sync
// that makes it count): the next operation tells of a write that fails here.
int control(sqlite3_file* file, int operation, void* argument) {
    File& self = File::of(file);
    self.untold = self.flush();
    return self.methods().xFileControl(self.real, operation, argument);
}

int unlock(sqlite3_file* file, int lock) {
    File& self = File::of(file);
    self.untold = self.flush();
    return self.methods().xUnlock(self.real, lock);
}

int close(sqlite3_file* file) {
    File& self = File::of(file);
    const int flushed = self.flush();
    const int closed = self.methods().xClose(self.real);
    std::destroy_at(&self);
    return flushed != SQLITE_OK ? flushed : closed;
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    return File::of(file).write({static_cast<const char*>(bytes), static_cast<std::size_t>(size)}, offset);
}

using Methods = sqlite3_io_methods;
constexpr int kMethodsVersion = 3;
constexpr Methods kMethods{
    .iVersion = kMethodsVersion,
    .xClose = close,
    .xRead = flush_then<&Methods::xRead>,
    .xWrite = write,
    .xTruncate = flush_then<&Methods::xTruncate>,
    .xSync = flush_then<&Methods::xSync>,
    .xFileSize = flush_then<&Methods::xFileSize>,
    .xLock = forward<&Methods::xLock>,
    .xUnlock = unlock,
    .xCheckReservedLock = forward<&Methods::xCheckReservedLock>,
    .xFileControl = control,
    .xSectorSize = forward<&Methods::xSectorSize>,
    .xDeviceCharacteristics = forward<&Methods::xDeviceCharacteristics>,
    .xShmMap = forward<&Methods::xShmMap>,
    .xShmLock = forward<&Methods::xShmLock>,
    .xShmBarrier = forward<&Methods::xShmBarrier>,
    .xShmUnmap = forward<&Methods::xShmUnmap>,
    .xFetch = flush_then<&Methods::xFetch>,
    .xUnfetch = forward<&Methods::xUnfetch>,
};

sqlite3_vfs* system_vfs(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

/// Files of these kinds gather; the others, rollback journals among them, are the system's own.
template <int Kinds>
int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
    sqlite3_vfs* system = system_vfs(vfs);
    if ((flags & Kinds) == 0) {
        return system->xOpen(system, name, file, flags, flags_out);
    }
    auto* real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(file) + sizeof(File));
    file->pMethods = nullptr; // unless it opens there is nothing to close
    real->pMethods = nullptr;
    int code = system->xOpen(system, name, real, flags, flags_out);
    if (code == SQLITE_OK && real->pMethods->iVersion < kMethodsVersion) code = SQLITE_CANTOPEN;
    if (code != SQLITE_OK) {
        if (real->pMethods != nullptr) real->pMethods->xClose(real);
        return code;
    }
    new (file) File{.base = {.pMethods = &kMethods}, .real = real, .gathered = {}, .at = 0, .untold = SQLITE_OK};
    return SQLITE_OK;
}

sqlite3_vfs made(const char* name, decltype(sqlite3_vfs::xOpen) open_file) {
    sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
    sqlite3_vfs vfs = *system; // the system's other methods look at nothing of their VFS
    vfs.szOsFile = static_cast<int>(sizeof(File)) + system->szOsFile;
    vfs.pNext = nullptr;
    vfs.zName = name;
    vfs.pAppData = system;
    vfs.xOpen = open_file;
    return vfs;
}

} // namespace

const char* gathering_vfs(Gather what) {
    // Never unregistered: connections may live as long as the process.
    static sqlite3_vfs log = made("flotilla-gathering-log", open<SQLITE_OPEN_WAL>);
    static sqlite3_vfs both = made("flotilla-gathering", open < SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_DB >);
    static const bool registered =
        sqlite3_vfs_register(&log, 0) == SQLITE_OK && sqlite3_vfs_register(&both, 0) == SQLITE_OK;
    if (!registered) throw std::runtime_error("SQLite does not take a VFS");
    return what == Gather::log ? log.zName : both.zName;
}

} // namespace flotilla::sqlite
