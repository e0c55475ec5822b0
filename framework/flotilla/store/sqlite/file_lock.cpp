#include <flotilla/store/sqlite/file_lock.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include <flotilla/store/sqlite/file_damage.hpp>

namespace flotilla::sqlite {
namespace {

Error lock_error(const std::string& path, std::string_view action) {
    return {Kind::unavailable,
            "cannot " + std::string(action) + " " + path + ": " + std::generic_category().message(errno)};
}

/// "order-service (process 4711)", as the holder wrote it.
std::string holder(int descriptor) {
    std::array<char, 256> text{};
    const auto size = ::pread(descriptor, text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "another process";
}

/// The holder removes the file when it is done: what was locked may have no name any more.
bool still_named(int descriptor, const std::string& path) {
    const auto locked = FileIdentity::of(descriptor);
    return locked && locked == FileIdentity::of(path);
}

} // namespace

Result<FileLock> FileLock::acquire(const std::string& file, std::string_view owner) {
    const std::string path = file + ".lock";
    while (true) {
        const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (descriptor < 0) return lock_error(path, "open");
        if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
            Error error = errno == EWOULDBLOCK
                              ? Error(Kind::unavailable, "the database " + file + " is in use by " + holder(descriptor))
                              : lock_error(path, "lock");
            ::close(descriptor);
            return error;
        }
        if (!still_named(descriptor, path)) {
            ::close(descriptor);
            continue;
        }
        FileLock lock(path, descriptor);
        if (auto written = lock.write_holder(owner); !written) return std::move(written.error());
        return lock;
    }
}

FileLock::~FileLock() {
    if (descriptor_ < 0) return;
    ::unlink(path_.c_str());
    ::close(descriptor_);
}

Result<void> FileLock::write_holder(std::string_view owner) const {
    const std::string text = std::string(owner) + " (process " + std::to_string(::getpid()) + ")";
    const bool written = ::ftruncate(descriptor_, 0) == 0 &&
                         ::pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    if (!written) return lock_error(path_, "write");
    return {};
}

} // namespace flotilla::sqlite
