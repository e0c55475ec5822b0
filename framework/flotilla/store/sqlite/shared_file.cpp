#include <flotilla/store/sqlite/shared_file.hpp>

#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include <flotilla/http/message.hpp>
#include <flotilla/store/sqlite/file_check.hpp>
#include <flotilla/store/sqlite/gathering_vfs.hpp>

namespace flotilla::sqlite {
namespace {

namespace fs = std::filesystem;

/// The open files of this process: SQLite's own locks do not hold within one process, and the writer is one per file.
/// Files are opened and closed under the mutex, so that one is never both.
struct Registry {
    std::mutex mutex;
    std::map<std::string, std::unique_ptr<SharedFile>> files;
};

Registry& registry() {
    static Registry instance;
    return instance;
}

constexpr std::string_view kTemporaryPrefix = "flotilla-memory-";

fs::path temporary_folder() {
    const fs::path shared_memory = "/dev/shm";
    return ::access(shared_memory.c_str(), W_OK) == 0 ? shared_memory : fs::temp_directory_path();
}

void remove_database(const std::string& file) {
    std::error_code ignored; // what is not there needs no removal
    for (const auto* suffix : {"", "-wal", "-shm"})
        fs::remove(file + suffix, ignored);
}

/// Temporary databases of processes that were killed: their locks are free.
void remove_abandoned_databases(const fs::path& folder) {
    std::error_code unreadable;
    for (const auto& entry : fs::directory_iterator(folder, unreadable)) {
        const auto name = entry.path().filename().string();
        if (!name.starts_with(kTemporaryPrefix) || entry.path().extension() != ".lock") continue;
        const auto file = entry.path().parent_path() / entry.path().stem();
        if (const auto lock = FileLock::acquire(file.string(), "clean-up")) remove_database(file.string());
    }
}

Result<std::string> absolute_path(const std::string& path) {
    std::error_code error;
    const auto absolute = fs::weakly_canonical(fs::absolute(path), error);
    if (!error) fs::create_directories(absolute.parent_path(), error);
    if (error) return Error(Kind::unavailable, "cannot open the database " + path + ": " + error.message());
    return absolute.string();
}

} // namespace

Result<Location> Location::parse(std::string_view url) {
    const auto bad = [&](std::string_view problem) {
        return Error(Kind::invalid, fmt::format("database URL {}: {}; expected sqlite:PATH", url, problem));
    };
    constexpr std::string_view kScheme = "sqlite:";
    if (!url.starts_with(kScheme)) return bad("unknown scheme");
    auto rest = url.substr(kScheme.size());
    auto options = std::string_view();
    if (const auto question = rest.find('?'); question != std::string_view::npos) {
        options = rest.substr(question + 1);
        rest = rest.substr(0, question);
    }
    if (rest.empty()) return bad("the path is missing");
    if (rest.contains('#')) return bad("the path holds a # as it is; write %23");
    auto path = http::percent_decode(rest);
    if (!path) return bad("% is followed by two hexadecimal digits, not 00; the sign itself is %25");
    Location location{.path = std::move(*path), .in_memory = rest.starts_with(":memory:")};
    while (!options.empty()) {
        const auto end = options.find('&');
        const auto option = options.substr(0, end);
        options = end == std::string_view::npos ? std::string_view() : options.substr(end + 1);
        if (option == "bodies=twice")
            location.bodies_twice = true;
        else if (option == "processes=several")
            location.several_processes = true;
        else if (option.starts_with("vfs="))
            location.vfs = option.substr(4);
        else
            return bad("unknown option " + std::string(option));
    }
    if (location.in_memory && location.several_processes)
        return bad("a database in memory cannot be shared by several processes");
    return location;
}

Result<SharedFile::Handle> SharedFile::open(World& world, const Location& location, std::string_view owner) {
    auto key = location.in_memory ? Result<std::string>(location.path + " " + std::string(owner))
                                  : absolute_path(location.path);
    if (!key) return std::move(key.error());
    const std::lock_guard lock(registry().mutex);
    auto& slot = registry().files[*key];
    if (!slot) {
        auto created = create(world, location, *key, owner);
        if (!created) {
            registry().files.erase(*key);
            return std::move(created.error());
        }
        slot = std::move(*created);
    }
    if (slot->owner_ != owner) {
        return Error(Kind::unavailable,
                     fmt::format("the database {} is in use by {} (this process)", slot->file_, slot->owner_));
    }
    ++slot->users_;
    return Handle(slot.get());
}

Result<std::unique_ptr<SharedFile>> SharedFile::create(World& world, const Location& location, std::string key,
                                                       std::string_view owner) {
    std::string file = key;
    if (location.in_memory) {
        const auto folder = temporary_folder();
        remove_abandoned_databases(folder);
        file = (folder / fmt::format("{}{}-{:016x}", kTemporaryPrefix, ::getpid(), world.random())).string();
    }
    const bool several = location.several_processes;
    auto lock = FileLock::acquire(file, owner, several ? FileLock::Mode::shared : FileLock::Mode::exclusive);
    if (!lock) return std::move(lock.error());
    std::unique_ptr<SharedFile> shared(
        new SharedFile(std::move(key), file, std::string(owner), std::string(new_id(world).view()), std::move(*lock)));
    shared->temporary_ = location.in_memory;
    if (several) {
        auto turns = WriterTurns::open(shared->lock_.descriptor());
        if (!turns) return std::move(turns.error());
        shared->turns_ = std::move(*turns);
        if (auto shown = shared->lock_.show_session(shared->session_); !shown) return std::move(shown.error());
    }
    auto connection = shared->open_writer(location);
    if (!connection) return std::move(connection.error());
    auto checked = check_file(**connection);
    if (!checked) return std::move(checked.error());
    shared->fully_checked_ = *checked;
    shared->readers_ = std::make_shared<ReaderPool>(file, location.vfs, (*connection)->shared_damage());
    shared->writer_ =
        std::make_unique<Writer>(world, std::move(*connection),
                                 Writer::Options{.bodies_twice = location.bodies_twice, .turns = shared->turns_.get()});
    return shared;
}

Result<std::unique_ptr<Connection>> SharedFile::open_writer(const Location& location) {
    // Making the file, or going on behind a crash, is writing.
    const WriterTurn turn(turns_.get(), kTurnPatience);
    if (!turn.begun()) return turn.begun().error();
    // Gathering is the writer's alone: readers write nothing. Not where several processes write, either: what a rolled
    // back transaction has gathered would be written where by then another process has.
    std::string vfs = location.vfs;
    if (vfs.empty() && !turns_) vfs = gathering_vfs(Gather::log);
    return Connection::open(file_, {.role = Role::writer, .vfs = vfs, .checkpoints_by_owner = true});
}

bool SharedFile::has_ended(std::string_view session) const {
    if (session == session_) return false;
    return !turns_ || lock_.session_ended(session);
}

void SharedFile::Release::operator()(SharedFile* file) const {
    const std::lock_guard lock(registry().mutex);
    if (--file->users_ == 0) registry().files.erase(std::string(file->key_));
}

SharedFile::~SharedFile() {
    // The last connection to close is the one that may empty the WAL into the file.
    if (readers_) readers_->close(); // none when it could not be opened
    if (writer_) writer_->stop();    // it takes turns, which are only ours as long as the lock is
    const bool last = lock_.become_last();
    if (writer_ && !last) writer_->leave_log();
    writer_.reset();
    if (temporary_) remove_database(file_);
}

} // namespace flotilla::sqlite
