#pragma once

#include <filesystem>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla::hub {

/// The hub's data folder, held by one process at a time. Released at the end, also by kill -9.
class DataFolder {
public:
    /// Creates the folder where it is missing. Errors: unavailable: another hub uses it, or it cannot be made.
    static Result<DataFolder> open(std::filesystem::path path);
    DataFolder(DataFolder&& other) noexcept;
    DataFolder& operator=(DataFolder&&) = delete;
    ~DataFolder();

    const std::filesystem::path& path() const { return path_; }
    /// Replaces a file at once: readers see the old content or the new, never half of it.
    Result<void> write_file(std::string_view name, std::string_view content) const;

private:
    DataFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
    std::filesystem::path path_;
    int lock_;
};

} // namespace flotilla::hub
