#include <flotilla/store/sqlite/file_lock.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>
#include <thread>

#include <flotilla/store/sqlite/file_damage.hpp>
#include <flotilla/store/sqlite/writer_turns.hpp>

namespace flotilla::sqlite {
namespace {

constexpr std::string_view kSeveral = " (several processes)";
constexpr auto kPatience = std::chrono::seconds(5);            // with one that empties its WAL as it ends
constexpr auto kNamePatience = std::chrono::milliseconds(200); // with one that has not written its name yet
constexpr auto kLookEvery = std::chrono::milliseconds(2);

Error lock_error(const std::string& path, std::string_view action) {
    return {Kind::unavailable,
            "cannot " + std::string(action) + " " + path + ": " + std::generic_category().message(errno)};
}

/// "order-service (process 4711)", as the holder wrote it.
std::string holder(int descriptor) {
    std::array<char, 256> text{};
    const auto size = ::pread(descriptor, text.data(), text.size(), 0);
    if (size <= 0) return "another process";
    return {text.data(), ::strnlen(text.data(), static_cast<std::size_t>(size))};
}

/// The byte of the lock file that the process of a session holds, far behind what is written there: its id's last 48
/// bits, which are random. nullopt: it is no id.
std::optional<struct flock> place_of(std::string_view session) {
    constexpr std::size_t kDigits = 12;
    constexpr off_t kBehindAll = 1 << 20;
    if (session.size() < kDigits) return std::nullopt;
    off_t number = 0;
    const auto digits = session.substr(session.size() - kDigits);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + kDigits, number, 16);
    if (error != std::errc() || end != digits.data() + kDigits) return std::nullopt;
    struct flock place{};
    place.l_type = F_WRLCK;
    place.l_whence = SEEK_SET;
    place.l_start = kBehindAll + number;
    place.l_len = 1;
    return place;
}

/// The holder removes the file when it is done: what was locked may have no name any more.
bool still_named(int descriptor, const std::string& path) {
    const auto locked = FileIdentity::of(descriptor);
    return locked && locked == FileIdentity::of(path);
}

} // namespace

Result<FileLock> FileLock::acquire(const std::string& file, std::string_view owner, Mode mode) {
    const auto begun = std::chrono::steady_clock::now();
    while (true) {
        std::string path = file + ".lock";
        const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (descriptor < 0) return lock_error(path, "open");
        FileLock lock(std::move(path), descriptor, mode);
        const auto taken = lock.take(owner);
        const bool ours = taken && *taken && still_named(descriptor, lock.path_);
        if (ours) return lock;
        lock.last_ = false; // whoever has it removes the file
        if (!taken) return taken.error();
        if (*taken) continue;
        const auto other = holder(descriptor);
        const auto waited = std::chrono::steady_clock::now() - begun;
        const bool another = !other.starts_with(std::string(owner) + " (");
        if (mode == Mode::exclusive || waited > (another ? kNamePatience : kPatience))
            return Error(Kind::unavailable, "the database " + file + " is in use by " + other);
        std::this_thread::sleep_for(kLookEvery);
    }
}

/// False when somebody else has it.
Result<bool> FileLock::take(std::string_view owner) const {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return lock_error(path_, "lock");
        if (mode_ == Mode::exclusive) return false;
        return take_shared(owner);
    }
    if (auto written = write_holder(owner); !written) return std::move(written.error());
    if (mode_ == Mode::exclusive) return true;
    // The first one. What it makes is read with a shared lock only.
    if (auto made = WriterTurns::make(descriptor_); !made) return std::move(made.error());
    return take_shared(owner);
}

Result<bool> FileLock::take_shared(std::string_view owner) const {
    if (::flock(descriptor_, LOCK_SH | LOCK_NB) == 0) return holder(descriptor_) == std::string(owner).append(kSeveral);
    if (errno == EWOULDBLOCK) return false;
    return lock_error(path_, "lock");
}

bool FileLock::become_last() {
    if (mode_ == Mode::shared) last_ = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
    return last_;
}

// Locks of an open file description: they end with the process, whoever else opens or closes the file in it.
Result<void> FileLock::show_session(std::string_view session) const {
    auto place = place_of(session);
    if (place && ::fcntl(descriptor_, F_OFD_SETLK, &*place) == 0) return {};
    return lock_error(path_, "lock a place in");
}

bool FileLock::session_ended(std::string_view session) const {
    auto place = place_of(session);
    return place && ::fcntl(descriptor_, F_OFD_GETLK, &*place) == 0 && place->l_type == F_UNLCK;
}

FileLock::~FileLock() {
    if (descriptor_ < 0) return;
    if (last_) ::unlink(path_.c_str());
    ::close(descriptor_);
}

Result<void> FileLock::write_holder(std::string_view owner) const {
    std::string text(owner);
    if (mode_ == Mode::shared) {
        text.append(kSeveral);
    } else {
        text += " (process " + std::to_string(::getpid()) + ")";
    }
    const bool written = ::ftruncate(descriptor_, 0) == 0 &&
                         ::pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    if (!written) return lock_error(path_, "write");
    return {};
}

} // namespace flotilla::sqlite
