#include <flotilla/node/text_file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace flotilla {
namespace {

Error cannot_read(const std::string& path, int error_number) {
    const auto kind = error_number == ENOENT || error_number == ENOTDIR ? Kind::not_found : Kind::unavailable;
    return Error(kind, path + ": cannot be read: " + std::strerror(error_number));
}

/// Into a new file; 0, or the number of what went wrong.
int write_all(const std::string& path, std::string_view content, unsigned permissions) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, permissions);
    if (file < 0) return errno;
    int failed = 0;
    while (!content.empty() && failed == 0) {
        const auto written = ::write(file, content.data(), content.size());
        if (written >= 0)
            content.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR)
            failed = errno;
    }
    if (::close(file) != 0 && failed == 0) failed = errno;
    return failed;
}

} // namespace

// stdio, not iostreams: those do not say why, or throw.
Result<std::string> read_text_file(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
    if (!file) return cannot_read(path, errno);
    std::string text;
    std::array<char, 16 * 1024> block;
    while (const auto size = std::fread(block.data(), 1, block.size(), file.get()))
        text.append(block.data(), size);
    if (std::ferror(file.get()) != 0) return cannot_read(path, errno);
    return text;
}

Result<void> replace_text_file(const std::string& path, std::string_view content, unsigned permissions) {
    const auto fresh = path + "." + std::to_string(::getpid());
    int failed = write_all(fresh, content, permissions);
    if (failed == 0 && std::rename(fresh.c_str(), path.c_str()) != 0) failed = errno;
    if (failed == 0) return {};
    std::remove(fresh.c_str()); // half of it, or none
    return Error(Kind::unavailable, "cannot write " + path + ": " + std::strerror(failed));
}

} // namespace flotilla
