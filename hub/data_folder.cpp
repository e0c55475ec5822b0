#include "hub/data_folder.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace flotilla::hub {

Result<DataFolder> DataFolder::open(std::filesystem::path path) {
    std::error_code failure;
    std::filesystem::create_directories(path, failure);
    if (failure) return Error(Kind::unavailable, "cannot create " + path.string() + ": " + failure.message());
    const std::string lock_file = (path / "hub.lock").string();
    const int lock = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0) return Error(Kind::unavailable, "cannot open " + lock_file + ": " + std::strerror(errno));
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        ::close(lock);
        return Error(Kind::unavailable, "another hub uses " + path.string() + ": give each its own --data folder");
    }
    return DataFolder(std::move(path), lock);
}

DataFolder::DataFolder(DataFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataFolder::~DataFolder() {
    if (lock_ >= 0) ::close(lock_);
}

Result<void> DataFolder::write_file(std::string_view name, std::string_view content) const {
    const auto target = path_ / name;
    const auto draft = path_ / (std::string(name) + ".new");
    {
        std::ofstream file(draft, std::ios::binary | std::ios::trunc);
        file << content;
        file.flush();
        if (!file) return Error(Kind::unavailable, "cannot write " + draft.string());
    }
    std::error_code failure;
    std::filesystem::rename(draft, target, failure);
    if (failure) return Error(Kind::unavailable, "cannot write " + target.string() + ": " + failure.message());
    return {};
}

} // namespace flotilla::hub
