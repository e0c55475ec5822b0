#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <flotilla/base/result.hpp>

namespace flotilla::sqlite {

/// Keeps other processes away from a file: an advisory lock (flock) on `<file>.lock`, which names the holder. It ends
/// with the process, however that ends; the destructor removes the file.
class FileLock {
public:
    /// Errors: unavailable, naming the file and who holds it.
    static Result<FileLock> acquire(const std::string& file, std::string_view owner);
    FileLock(FileLock&& other) noexcept
        : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
    FileLock& operator=(FileLock&&) = delete;
    ~FileLock();

private:
    FileLock(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
    Result<void> write_holder(std::string_view owner) const;

    std::string path_;
    int descriptor_;
};

} // namespace flotilla::sqlite
