#pragma once

#include <array>

#include <sys/uio.h>

#include <flotilla/aio/reactor.hpp>
#include <flotilla/aio/stream.hpp>

namespace flotilla::detail {

/// A connected TCP or Unix socket. Tries each operation directly where it is likely to succeed, and waits for the
/// reactor otherwise; no memory is allocated per operation.
class SocketStream final : public Stream {
public:
    /// Takes over a connected socket.
    SocketStream(Reactor& reactor, Descriptor socket, Address peer);
    ~SocketStream() override;

    std::size_t write_now(std::string_view bytes) override;
    void shutdown_write() override;
    void close() override;
    void reset() override;
    bool is_open() const override { return socket_.fd() >= 0; }
    bool is_quiet() const override;
    bool is_quiet_now() const override;
    void guard_next_write() override {
        guarded_ = true;
        written_since_guard_ = 0;
    }
    bool has_reached_peer() const override;
    PeerState peer_state() const override;
    const Address& peer() const override { return peer_; }

protected:
    void start_read(std::span<char> buffer, IoOperation& operation) override;
    void start_write(std::span<const std::string_view> pieces, IoOperation& operation) override;
    void abort_operations() override;

private:
    static constexpr std::size_t kPiecesMax = 8;
    enum class Progress { done, waiting };

    static void on_readable(void* self);
    static void on_writable(void* self);
    Progress try_read();
    Progress try_write();
    ssize_t send_pieces(iovec* pieces) const;
    void fail(IoOperation*& operation, std::string_view doing, int error_number);
    void end_operations(bool only_cancelled, const char* why);

    Reactor& reactor_;
    Descriptor socket_;
    Address peer_;

    IoOperation* read_ = nullptr;
    std::span<char> buffer_;
    bool fresh_ = true; ///< nothing was read yet: who connects usually speaks at once

    IoOperation* write_ = nullptr;
    std::array<iovec, kPiecesMax> pieces_{};
    std::size_t pieces_left_ = 0; ///< at the end of pieces_
    std::size_t written_ = 0;
    bool guarded_ = false; ///< see guard_next_write()
    std::uint64_t written_since_guard_ = 0;
};

/// Connects; see World::connect.
task<Result<std::unique_ptr<Stream>>> connect(Reactor& reactor, Context& context, Address address);
/// Listens; see World::listen.
Result<std::unique_ptr<Listener>> listen(Reactor& reactor, const Address& address, ListenOptions options);

/// Waits until a descriptor is ready: `co_await Ready(context, descriptor, Descriptor::reading)`. The descriptor's
/// owner may keep it in `slot` (see IoOperation::attach) to end() it.
class Ready : public IoOperation {
public:
    Ready(Context& context, Descriptor& descriptor, Descriptor::Direction direction, IoOperation** slot = nullptr)
        : IoOperation(context), descriptor_(descriptor), direction_(direction), owner_slot_(slot) {}
    ~Ready() { stop_waiting(); }

    bool await_ready() const { return await_ready_now(); }
    bool await_suspend(std::coroutine_handle<> awaiting) {
        return begin(awaiting, &Ready::on_cancel, this, [this] {
            waiting_ = true;
            if (owner_slot_ != nullptr) attach(*owner_slot_);
            descriptor_.wait(direction_, &Ready::on_ready, this);
        });
    }
    Result<void> await_resume() {
        auto result = outcome();
        if (!result) return std::move(result.error());
        return {};
    }
    /// Ends the wait with an error, soon. The descriptor may be gone afterwards.
    void end(Error error) {
        stop_waiting();
        fail_soon(std::move(error));
    }

private:
    static void on_ready(void* self) {
        auto& ready = *static_cast<Ready*>(self);
        ready.waiting_ = false;
        ready.complete(std::nullopt, 0);
    }
    static void on_cancel(void* self) {
        static_cast<Ready*>(self)->end(Error(Kind::cancelled, "the wait was cancelled"));
    }
    void stop_waiting() {
        if (std::exchange(waiting_, false)) descriptor_.forget(direction_);
    }

    Descriptor& descriptor_;
    Descriptor::Direction direction_;
    IoOperation** owner_slot_;
    bool waiting_ = false;
};

} // namespace flotilla::detail
