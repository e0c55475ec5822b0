#include "cli/durable_files.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

#include <flotilla/base/fixed_text.hpp>

namespace flotilla::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 256 * 1024;

Error file_error(const char* what, const fs::path& path, int number) {
    return {Kind::unavailable,
            std::string("cannot ") + what + " " + path.string() + ": " + std::generic_category().message(number)};
}

Error file_error(const char* what, const fs::path& path, const std::error_code& failed) {
    return {Kind::unavailable, std::string("cannot ") + what + " " + path.string() + ": " + failed.message()};
}

} // namespace

Result<FileDigest> digest_of(const fs::path& file) {
    std::ifstream input(file, std::ios::binary);
    if (!input) return file_error("read", file, errno);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    bool ok = hash && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1;
    FileDigest digest;
    std::vector<char> piece(kPieceBytes);
    while (input.read(piece.data(), static_cast<std::streamsize>(piece.size())) || input.gcount() > 0) {
        const auto size = static_cast<std::size_t>(input.gcount());
        ok = ok && EVP_DigestUpdate(hash.get(), piece.data(), size) == 1;
        digest.bytes += size;
    }
    if (input.bad()) return file_error("read", file, errno);
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    if (!ok || EVP_DigestFinal_ex(hash.get(), bytes.data(), &size) != 1)
        return Error(Kind::internal, "SHA-256 is not available in this OpenSSL");
    digest.sha256.resize(2 * std::size_t{size});
    write_hex(std::span(bytes).first(size), digest.sha256.data());
    return digest;
}

Result<void> sync_path(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return file_error("open", path, errno);
    const int synced = ::fsync(descriptor);
    const int why = errno;
    ::close(descriptor);
    if (synced != 0) return file_error("write", path, why);
    return {};
}

Result<void> write_durably(const fs::path& file, const std::string& content) {
    errno = 0;
    std::ofstream output(file, std::ios::binary | std::ios::trunc);
    output << content;
    output.close();
    if (!output) return file_error("write", file, errno);
    return sync_path(file);
}

Result<void> copy_durably(const fs::path& from, const fs::path& to) {
    std::error_code failed;
    fs::copy_file(from, to, failed);
    if (failed) return file_error("write", to, failed);
    return sync_path(to);
}

Result<DraftFolder> DraftFolder::create(const fs::path& target) {
    std::error_code failed;
    const auto status = fs::status(target, failed);
    if (fs::exists(status) && (!fs::is_directory(status) || !fs::is_empty(target, failed)))
        return Error(Kind::conflict, target.string() + (fs::is_directory(status) ? " is not empty" : " is no folder"));
    if (failed && fs::exists(status)) return file_error("read", target, failed);
    fs::create_directories(target.parent_path(), failed);
    if (failed) return file_error("make the folder", target.parent_path(), failed);
    std::string draft = target.string() + ".incomplete-XXXXXX";
    if (::mkdtemp(draft.data()) == nullptr) return file_error("make the folder", draft, errno); // for its owner alone
    return DraftFolder(std::move(draft), target);
}

DraftFolder::DraftFolder(DraftFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), target_(std::move(other.target_)) {}

DraftFolder::~DraftFolder() {
    std::error_code ignored; // its name says that it is incomplete
    if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<void> DraftFolder::complete() {
    std::vector<fs::path> folders{path_};
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
        if (entry.is_directory()) folders.push_back(entry.path());
    }
    for (const auto& folder : folders) {
        if (auto synced = sync_path(folder); !synced) return synced;
    }
    // Replaces an empty folder and nothing else.
    if (::rename(path_.c_str(), target_.c_str()) != 0) return file_error("make the folder", target_, errno);
    path_.clear();
    return sync_path(target_.parent_path());
}

} // namespace flotilla::cli
