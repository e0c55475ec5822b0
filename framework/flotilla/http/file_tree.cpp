#include <flotilla/http/file_tree.hpp>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace flotilla::http {

namespace {

Error failed(const std::string& doing, int code) {
    return Error(Kind::internal, doing + ": " + std::system_category().message(code));
}

/// Why a path could not be opened, as its client may know it.
Error refusal(const std::string& path, int code) {
    switch (code) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV: // it would leave the folder
    case ENAMETOOLONG:
    case EINVAL:
    case ENXIO: // a pipe or socket
        return Error(Kind::not_found, "Not found");
    case EACCES:
    case EPERM:
        return Error(Kind::forbidden, "The file may not be read");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN: // the tree was changed meanwhile
        return Error(Kind::unavailable, "the file cannot be opened now; try again");
    default:
        return failed("opening " + path, code);
    }
}

} // namespace

OpenFile::~OpenFile() { ::close(descriptor_); }

Result<std::string> OpenFile::read(std::uint64_t at, std::size_t count) const {
    std::string bytes(count, '\0');
    std::size_t done = 0;
    while (done < count) {
        const auto got = ::pread(descriptor_, bytes.data() + done, count - done, static_cast<off_t>(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed("reading a file", errno);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    bytes.resize(done);
    return bytes;
}

Result<FileTree> FileTree::open(const std::string& folder) {
    const int descriptor = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR))
        return Error(Kind::not_found, "there is no folder " + folder);
    if (descriptor < 0) return failed("opening " + folder, errno);
    FileTree tree(std::make_shared<const OpenFile>(descriptor));
    if (auto itself = tree.find("."); !itself) { // a kernel without openat2, or a sandbox that forbids it
        return failed("opening " + folder + " with openat2", errno);
    }
    return tree;
}

Result<FileTree::Entry> FileTree::find(const std::string& path) const {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY; // a pipe without a writer must not hold the thread
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const auto descriptor = ::syscall(SYS_openat2, root_->descriptor(), path.c_str(), &how, sizeof how);
    if (descriptor < 0) return refusal(path, errno);
    Entry entry{.file = std::make_shared<const OpenFile>(static_cast<int>(descriptor))};
    struct stat status{};
    if (::fstat(entry.file->descriptor(), &status) != 0) return failed("looking at " + path, errno);
    entry.is_folder = S_ISDIR(status.st_mode);
    if (!entry.is_folder && !S_ISREG(status.st_mode)) return Error(Kind::not_found, "Not found");
    entry.size = static_cast<std::uint64_t>(status.st_size);
    entry.modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
    return entry;
}

} // namespace flotilla::http
