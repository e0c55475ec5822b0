#include <flotilla/store/sqlite/file_lock.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
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
