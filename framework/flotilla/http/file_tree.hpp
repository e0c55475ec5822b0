#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <flotilla/base/result.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla::http {

/// An open file, or folder, below a FileTree. Closes it at its end. Thread-safe.
class OpenFile {
public:
    explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile();

    int descriptor() const { return descriptor_; }
    /// `count` bytes from `at`; fewer only where the file ends. Blocking. Errors: internal.
    Result<std::string> read(std::uint64_t at, std::size_t count) const;

private:
    int descriptor_;
};

/// The files below one folder. Paths cannot leave it: the kernel resolves them beneath it (openat2, RESOLVE_BENEATH),
/// so neither `..` nor a symbolic link leads out; links that stay inside are followed. All of it blocks: see offload().
/// Thread-safe.
class FileTree {
public:
    struct Entry {
        std::shared_ptr<const OpenFile> file;
        bool is_folder = false;
        std::uint64_t size = 0;
        std::int64_t modified_ns = 0; ///< since the Unix epoch
    };

    /// Errors: not_found (no such folder), internal.
    static Result<FileTree> open(const std::string& folder);

    /// A regular file or a folder, by its relative path. Errors: not_found (also for devices, pipes and what lies
    /// outside), forbidden (this process may not read it), unavailable (out of file descriptors), internal.
    Result<Entry> find(const std::string& path) const;

private:
    explicit FileTree(std::shared_ptr<const OpenFile> root) : root_(std::move(root)) {}
    std::shared_ptr<const OpenFile> root_;
};

} // namespace flotilla::http
