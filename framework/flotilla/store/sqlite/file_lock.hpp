#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <flotilla/base/result.hpp>

namespace flotilla::sqlite {

class WriterTurns;

/// Keeps other processes away from a file: an advisory lock (flock) on `<file>.lock`, which names the holder. It ends
/// with the process, however that ends; the destructor of the last holder removes the file.
class FileLock {
public:
    /// exclusive: of one process. shared: of all processes of one owner; the first one puts what they share into the
    /// lock file (WriterTurns).
    enum class Mode : unsigned char { exclusive, shared };

    /// Errors: unavailable, naming the file and who holds it. Shared, it waits for a process of the same owner that is
    /// just opening or closing the file.
    static Result<FileLock> acquire(const std::string& file, std::string_view owner, Mode mode = Mode::exclusive);
    FileLock(FileLock&& other) noexcept
        : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), mode_(other.mode_),
          last_(other.last_) {}
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

    /// Whether no other process has it; from then on none gets it. Otherwise this one has given it up. For the end.
    bool become_last();
    int descriptor() const { return descriptor_; }

    /// Lets the others that share the file see whether this process lives, by the id of its session. Errors:
    /// unavailable.
    Result<void> show_session(std::string_view session) const;
    /// Whether the process that showed this session has ended. False of what is no session's id.
    bool session_ended(std::string_view session) const;

private:
    FileLock(std::string path, int descriptor, Mode mode)
        : path_(std::move(path)), descriptor_(descriptor), mode_(mode), last_(mode == Mode::exclusive) {}
    Result<bool> take(std::string_view owner) const;
    Result<bool> take_shared(std::string_view owner) const;
    Result<void> write_holder(std::string_view owner) const;

    std::string path_;
    int descriptor_;
    Mode mode_;
    bool last_; ///< nobody else has it
};

} // namespace flotilla::sqlite
