#include <flotilla/node/text_file.hpp>

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

} // namespace flotilla
