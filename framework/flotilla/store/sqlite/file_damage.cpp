#include <flotilla/store/sqlite/file_damage.hpp>

#include <sys/stat.h>

namespace flotilla::sqlite {
namespace {

std::optional<FileIdentity> identity(int code, const struct stat& found) {
    if (code != 0) return std::nullopt;
    return FileIdentity{found.st_dev, found.st_ino};
}

} // namespace

std::optional<FileIdentity> FileIdentity::of(const std::string& path) {
    struct stat found{};
    return identity(::stat(path.c_str(), &found), found);
}

std::optional<FileIdentity> FileIdentity::of(int descriptor) {
    struct stat found{};
    return identity(::fstat(descriptor, &found), found);
}

Error FileDamage::error(std::string_view file, std::string_view reason) {
    return Error(Kind::internal, "database_damaged",
                 "the database " + std::string(file) + " is damaged (" + std::string(reason) +
                     ") and takes no more writes: stop the fleet, set its data folder aside and put the last backup in "
                     "its place with ./flotilla restore DIR");
}

void FileDamage::note(const Error& error) {
    if (error.code() != kCode) return;
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = error;
    found_ = true;
}

Result<void> FileDamage::check() const {
    if (!found_) return {};
    const std::lock_guard lock(mutex_);
    return *first_;
}

} // namespace flotilla::sqlite
