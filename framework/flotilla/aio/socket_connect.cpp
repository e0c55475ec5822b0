#include <cerrno>

#include <fmt/format.h>

#include <flotilla/aio/offload.hpp>
#include <flotilla/aio/socket_address.hpp>
#include <flotilla/aio/socket_stream.hpp>

namespace flotilla::detail {

namespace {

using namespace std::chrono_literals;

/// connect() to a Unix socket whose backlog is full says EAGAIN, and there is nothing to wait on: try again a few
/// times.
constexpr int kBacklogTriesMax = 8;
constexpr Duration kBacklogPauseFirst = 1ms; // doubles each time, 255 ms in all

Error refused(const SocketAddress& to, int error_number) {
    return system_error(Kind::unavailable, fmt::format("cannot connect to {}", from_socket(to).to_string()),
                        error_number);
}

/// What a pending connect() came to: 0 or an errno.
int socket_error(int fd) {
    int error_number = 0;
    socklen_t length = sizeof(error_number);
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &length) != 0) return errno;
    return error_number;
}

task<Result<std::unique_ptr<Stream>>> connect_to(Reactor& reactor, Context& context, SocketAddress to) {
    const int fd = co_await must(open_socket(to.family()));
    Descriptor socket(reactor, fd);
    set_tcp_options(fd, to.family(), Side::client);
    Duration pause = kBacklogPauseFirst;
    for (int tries = 0; ::connect(fd, to.data(), to.length) != 0; ++tries) {
        if (errno == EAGAIN && tries < kBacklogTriesMax) {
            co_await must(sleep_for(context, pause));
            pause *= 2;
            continue;
        }
        if (errno != EINPROGRESS && errno != EINTR) co_return refused(to, errno);
        co_await must(co_await Ready(context, socket, Descriptor::writing));
        if (const int error_number = socket_error(fd); error_number != 0) co_return refused(to, error_number);
        break;
    }
    co_return std::make_unique<SocketStream>(reactor, std::move(socket), from_socket(to));
}

} // namespace

task<Result<std::unique_ptr<Stream>>> connect(Reactor& reactor, Context& context, Address address) {
    co_await must(context.check());
    if (auto numeric = numeric_address(address); numeric || address.is_unix()) {
        co_return co_await connect_to(reactor, context, co_await must(std::move(numeric)));
    }
    const auto addresses = co_await must(offload(context, [address] { return look_up(address); }));
    Error last(Kind::unavailable, fmt::format("{} has no address", address.host));
    for (const SocketAddress& to : addresses) {
        auto stream = co_await connect_to(reactor, context, to);
        if (stream || context.cancelled()) co_return stream;
        last = std::move(stream.error());
    }
    co_return std::move(last).with_context(address.host);
}

} // namespace flotilla::detail
