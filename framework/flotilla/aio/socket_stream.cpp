#include <flotilla/aio/socket_stream.hpp>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <flotilla/aio/socket_address.hpp>

namespace flotilla::detail {

SocketStream::SocketStream(Reactor& reactor, Descriptor socket, Address peer)
    : reactor_(reactor), socket_(std::move(socket)), peer_(std::move(peer)) {}

SocketStream::~SocketStream() { close(); }

void SocketStream::shutdown_write() {
    // Fails only when the peer has gone already, which the next read or write reports.
    if (is_open()) ::shutdown(socket_.fd(), SHUT_WR);
}

void SocketStream::close() {
    end_operations(false, "the stream was closed");
    socket_.close();
}

void SocketStream::reset() {
    // Zero linger time makes close() send RST (TCP); a Unix socket has no such thing and ignores it.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    if (is_open()) ::setsockopt(socket_.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

bool SocketStream::is_quiet() const {
    if (!is_open()) return false;
    if (socket_.is_watched() && !socket_.is_ready(Descriptor::reading)) return true;
    return is_quiet_now();
}

bool SocketStream::is_quiet_now() const {
    if (!is_open()) return false;
    char byte = 0;
    return ::recv(socket_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool SocketStream::has_reached_peer() const {
    // What TCP has sent and the other side's kernel has not acknowledged. Whoever answers has been acknowledged for:
    // its own segments say so. A Unix socket counts what nobody has read, in other units.
    int unacknowledged = 0;
    if (!is_open() || peer_.is_unix() || ::ioctl(socket_.fd(), SIOCOUTQ, &unacknowledged) != 0) return true;
    return static_cast<std::uint64_t>(unacknowledged) < written_since_guard_;
}

Stream::PeerState SocketStream::peer_state() const {
    if (!is_open()) return PeerState::gone;
    if (socket_.is_watched()) {
        if (socket_.has_failed()) return PeerState::gone;
        return socket_.has_ended() ? PeerState::half_closed : PeerState::present;
    }
    pollfd look{.fd = socket_.fd(), .events = POLLRDHUP, .revents = 0};
    if (::poll(&look, 1, 0) <= 0) return PeerState::present; // failing says nothing about the peer
    return (look.revents & (POLLHUP | POLLERR)) != 0 ? PeerState::gone : PeerState::half_closed;
}

void SocketStream::start_read(std::span<char> buffer, IoOperation& operation) {
    assert(read_ == nullptr && "a stream has one read at a time");
    assert(!buffer.empty() && "reading nothing looks like the end");
    if (!is_open()) return operation.complete(Error(Kind::unavailable, "the stream is closed"), 0);
    operation.attach(read_);
    buffer_ = buffer;
    const bool likely = std::exchange(fresh_, false) || socket_.is_ready(Descriptor::reading);
    if (likely && reactor_.may_complete_at_once() && try_read() == Progress::done) return;
    socket_.wait(Descriptor::reading, &SocketStream::on_readable, this);
}

void SocketStream::on_readable(void* self) {
    auto& stream = *static_cast<SocketStream*>(self);
    // A task that was destroyed takes its operation away, and its buffer with it.
    if (stream.read_ == nullptr || stream.try_read() == Progress::done) return;
    stream.socket_.wait(Descriptor::reading, &SocketStream::on_readable, self);
}

/// Once this has said done the stream may be gone.
SocketStream::Progress SocketStream::try_read() {
    const ssize_t count = ::recv(socket_.fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0) {
        if (errno == EINTR) return Progress::waiting;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            socket_.exhausted(Descriptor::reading);
            return Progress::waiting;
        }
        fail(read_, "reading from", errno);
        return Progress::done;
    }
    if (count > 0 && static_cast<std::size_t>(count) < buffer_.size()) socket_.exhausted_by_short_read();
    read_->complete(std::nullopt, static_cast<std::size_t>(count));
    return Progress::done;
}

void SocketStream::start_write(std::span<const std::string_view> pieces, IoOperation& operation) {
    assert(write_ == nullptr && "a stream has one write at a time");
    assert(pieces.size() <= kPiecesMax && "a write has at most 8 pieces");
    if (!is_open()) return operation.complete(Error(Kind::unavailable, "the stream is closed"), 0);
    operation.attach(write_);
    pieces_left_ = pieces.size();
    written_ = 0;
    std::ranges::transform(pieces, pieces_.end() - static_cast<std::ptrdiff_t>(pieces_left_),
                           [](std::string_view piece) { return iovec{const_cast<char*>(piece.data()), piece.size()}; });
    // Not at once: what a turn has to write leaves at its end, together. Watching costs a system call, though, which a
    // connection of one request does without.
    if (!socket_.is_watched() && reactor_.may_complete_at_once() && try_write() == Progress::done) return;
    socket_.wait(Descriptor::writing, &SocketStream::on_writable, this);
}

std::size_t SocketStream::write_now(std::string_view bytes) {
    assert(write_ == nullptr && "a stream has one write at a time");
    if (!is_open()) return 0;
    const ssize_t sent = ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN || errno == EWOULDBLOCK) socket_.exhausted(Descriptor::writing);
    return 0;
}

void SocketStream::on_writable(void* self) {
    auto& stream = *static_cast<SocketStream*>(self);
    if (stream.write_ == nullptr || stream.try_write() == Progress::done) return;
    stream.socket_.wait(Descriptor::writing, &SocketStream::on_writable, self);
}

ssize_t SocketStream::send_pieces(iovec* pieces) const {
    constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
    // The usual case, and cheaper: nothing but the bytes themselves is copied from user space.
    if (pieces_left_ == 1) return ::send(socket_.fd(), pieces->iov_base, pieces->iov_len, kFlags);
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = pieces_left_;
    return ::sendmsg(socket_.fd(), &message, kFlags);
}

/// Once this has said done the stream may be gone.
SocketStream::Progress SocketStream::try_write() {
    if (std::exchange(guarded_, false) && !is_quiet_now()) {
        write_->complete(Error(Kind::unavailable, kNotQuiet, "something has arrived from " + peer_.to_string()), 0);
        return Progress::done;
    }
    while (true) {
        while (pieces_left_ > 0 && pieces_[kPiecesMax - pieces_left_].iov_len == 0)
            --pieces_left_;
        if (pieces_left_ == 0) {
            write_->complete(std::nullopt, written_);
            return Progress::done;
        }
        iovec* piece = &pieces_[kPiecesMax - pieces_left_];
        const ssize_t sent = send_pieces(piece);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                socket_.exhausted(Descriptor::writing);
                return Progress::waiting;
            }
            fail(write_, "writing to", errno);
            return Progress::done;
        }
        written_ += static_cast<std::size_t>(sent);
        written_since_guard_ += static_cast<std::size_t>(sent);
        for (auto left = static_cast<std::size_t>(sent); left > 0; ++piece) {
            const std::size_t taken = std::min(left, piece->iov_len);
            piece->iov_base = static_cast<char*>(piece->iov_base) + taken;
            piece->iov_len -= taken;
            left -= taken;
        }
    }
}

void SocketStream::fail(IoOperation*& operation, std::string_view doing, int error_number) {
    operation->complete(system_error(Kind::unavailable, fmt::format("{} {}", doing, peer_.to_string()), error_number),
                        0);
}

void SocketStream::end_operations(bool only_cancelled, const char* why) {
    if (read_ != nullptr && (!only_cancelled || read_->cancelled())) {
        socket_.forget(Descriptor::reading);
        read_->fail_soon(Error(Kind::unavailable, why));
    }
    if (write_ != nullptr && (!only_cancelled || write_->cancelled())) {
        socket_.forget(Descriptor::writing);
        write_->fail_soon(Error(Kind::unavailable, why));
    }
}

void SocketStream::abort_operations() { end_operations(true, "the operation was cancelled"); }

} // namespace flotilla::detail
