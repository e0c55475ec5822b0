#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <flotilla/base/result.hpp>

namespace flotilla::cli {

/// What a file holds: its size and its SHA-256 in hexadecimal.
struct FileDigest {
    std::uint64_t bytes = 0;
    std::string sha256;
    bool operator==(const FileDigest&) const = default;
};
/// Errors: unavailable when it cannot be read.
Result<FileDigest> digest_of(const std::filesystem::path& file);

/// Waits until a file, or the names in a folder, are on the disk. Errors: unavailable.
Result<void> sync_path(const std::filesystem::path& path);
/// A new file with that content, on the disk when it answers. Errors: unavailable.
Result<void> write_durably(const std::filesystem::path& file, const std::string& content);
/// Copies a file to a name that must be free, on the disk when it answers. Errors: unavailable.
Result<void> copy_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// A folder that is filled under a name of its own and gets its real one when it is complete; without that it goes.
class DraftFolder {
public:
    /// For `target`, which is missing or an empty folder. Errors: conflict, when something is there; unavailable.
    static Result<DraftFolder> create(const std::filesystem::path& target);
    DraftFolder(DraftFolder&& other) noexcept;
    DraftFolder& operator=(DraftFolder&&) = delete;
    ~DraftFolder();

    const std::filesystem::path& path() const { return path_; }
    /// Syncs its folders and gives it its name. Errors: unavailable.
    Result<void> complete();

private:
    DraftFolder(std::filesystem::path path, std::filesystem::path target)
        : path_(std::move(path)), target_(std::move(target)) {}
    std::filesystem::path path_, target_;
};

} // namespace flotilla::cli
