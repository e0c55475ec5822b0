#include <cerrno>
#include <optional>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <flotilla/aio/socket_address.hpp>
#include <flotilla/aio/socket_stream.hpp>

namespace flotilla::detail {

namespace {

using namespace std::chrono_literals;

/// How long to wait for file descriptors or memory to come free.
constexpr Duration kExhaustedPause = 20ms;

/// Which file a path leads to, so that a listener removes its own socket file and nobody else's.
struct FileIdentity {
    dev_t device;
    ino_t inode;
    bool operator==(const FileIdentity&) const = default;
};

std::optional<FileIdentity> socket_file(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return std::nullopt;
    return FileIdentity{status.st_dev, status.st_ino};
}

class SocketListener final : public Listener {
public:
    SocketListener(Reactor& reactor, Descriptor socket, Address local)
        : reactor_(reactor), socket_(std::move(socket)), local_(std::move(local)) {
        if (local_.is_unix()) file_ = socket_file(local_.path);
    }
    ~SocketListener() override { close(); }

    task<Result<std::unique_ptr<Stream>>> accept(Context& context) override;
    const Address& local() const override { return local_; }
    void close() override;

private:
    enum class Next { accepted, wait, pause, again, failed };
    Next try_accept(std::unique_ptr<Stream>& into);

    Reactor& reactor_;
    Descriptor socket_;
    Address local_;
    std::optional<FileIdentity> file_;
    IoOperation* waiting_ = nullptr;
};

SocketListener::Next SocketListener::try_accept(std::unique_ptr<Stream>& into) {
    SocketAddress peer;
    const int fd = ::accept4(socket_.fd(), peer.data(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        into = std::make_unique<SocketStream>(reactor_, Descriptor(reactor_, fd), from_socket(peer));
        return Next::accepted;
    }
    switch (errno) {
    case EAGAIN:
        socket_.exhausted(Descriptor::reading);
        return Next::wait;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return Next::pause;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT:
        return Next::failed;
    // ECONNABORTED, and errors of the new connection's network that Linux passes on: accept(2) says to go on.
    default:
        return Next::again;
    }
}

task<Result<std::unique_ptr<Stream>>> SocketListener::accept(Context& context) {
    while (true) {
        co_await must(context.check());
        if (socket_.fd() < 0) co_return Error(Kind::unavailable, "the listener is closed");
        std::unique_ptr<Stream> stream;
        switch (reactor_.may_complete_at_once() ? try_accept(stream) : Next::wait) {
        case Next::accepted:
            co_return stream;
        case Next::wait:
            co_await must(co_await Ready(context, socket_, Descriptor::reading, &waiting_));
            break;
        case Next::pause:
            co_await must(sleep_for(context, kExhaustedPause));
            break;
        case Next::again:
            break;
        case Next::failed:
            co_return system_error(Kind::unavailable, "cannot accept on " + local_.to_string(), errno);
        }
    }
}

void SocketListener::close() {
    if (waiting_ != nullptr) static_cast<Ready*>(waiting_)->end(Error(Kind::unavailable, "the listener was closed"));
    if (socket_.fd() < 0) return;
    socket_.close();
    if (file_ && socket_file(local_.path) == file_) ::unlink(local_.path.c_str());
}

Error cannot_listen(const Address& address, int error_number) {
    return system_error(Kind::unavailable, fmt::format("cannot listen on {}", address.to_string()), error_number);
}

/// Whether a process that is gone left this socket file behind: nobody accepts on it.
bool is_stale(const SocketAddress& address) {
    const auto probe = open_socket(AF_UNIX);
    if (!probe) return false;
    const bool refused = ::connect(*probe, address.data(), address.length) != 0 && errno == ECONNREFUSED;
    ::close(*probe);
    return refused;
}

int bind_socket(int fd, const Address& address, const SocketAddress& to) {
    if (::bind(fd, to.data(), to.length) == 0) return 0;
    const int failure = errno;
    if (failure != EADDRINUSE || !address.is_unix() || !socket_file(address.path) || !is_stale(to)) return failure;
    ::unlink(address.path.c_str());
    return ::bind(fd, to.data(), to.length) == 0 ? 0 : errno;
}

Result<void> set_options(int fd, const Address& address, const ListenOptions& options) {
    if (address.is_unix()) return {};
    set_tcp_options(fd, AF_INET, Side::server); // for what is accepted
    const int on = 1;
    if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (options.reuse_port && ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)) {
        return cannot_listen(address, errno);
    }
    return {};
}

/// A number, or a name from the hosts file; this happens at start-up, so blocking is fine.
Result<SocketAddress> address_to_bind(const Address& address) {
    if (auto numeric = numeric_address(address); numeric || address.is_unix()) return numeric;
    auto found = look_up(address);
    if (!found) return std::move(found.error());
    if (found->empty()) return Error(Kind::unavailable, fmt::format("{} has no address", address.host));
    return found->front();
}

} // namespace

Result<std::unique_ptr<Listener>> listen(Reactor& reactor, const Address& address, ListenOptions options) {
    const auto to = address_to_bind(address);
    if (!to) return to.error();
    const auto fd = open_socket(to->family());
    if (!fd) return fd.error();
    Descriptor socket(reactor, *fd);
    if (auto set = set_options(*fd, address, options); !set) return std::move(set.error());
    if (const int failure = bind_socket(*fd, address, *to); failure != 0) return cannot_listen(address, failure);
    if (::listen(*fd, options.backlog) != 0) return cannot_listen(address, errno);
    if (address.is_unix()) return std::make_unique<SocketListener>(reactor, std::move(socket), address);
    SocketAddress bound;
    if (::getsockname(*fd, bound.data(), &bound.length) != 0) return cannot_listen(address, errno);
    return std::make_unique<SocketListener>(reactor, std::move(socket), from_socket(bound));
}

} // namespace flotilla::detail
