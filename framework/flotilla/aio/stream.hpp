#pragma once

#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/world.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla {

/// An operation a Stream or Listener has in flight. It lives in the awaiting coroutine's frame, and neither side need
/// outlive the other: whoever goes first detaches.
class IoOperation {
public:
    IoOperation(const IoOperation&) = delete;
    IoOperation& operator=(const IoOperation&) = delete;

    /// Called by the stream once: error, or nullopt and the byte count. From the loop it resumes the coroutine, which
    /// may destroy the stream; from inside start_* the coroutine goes on without having been suspended.
    void complete(std::optional<Error> error, std::size_t bytes);
    /// Completes with an error soon, from the loop and never inline: for close() and abort_operations().
    void fail_soon(Error error);
    /// Stores this operation in `slot`, where the stream finds it; cleared when it completes and when it is destroyed,
    /// so a stream never sees a dead operation, nor its buffer.
    void attach(IoOperation*& slot);
    /// Whether its context wants it to end.
    bool cancelled() const { return context_.cancelled(); }

protected:
    explicit IoOperation(Context& context) : context_(context) {}
    ~IoOperation() { detach(); }

    bool await_ready_now() const { return context_.cancelled(); }
    /// Runs start() (the stream's start_*) with `abort` as what cancellation calls. Returns whether to suspend.
    template <class Start>
    bool begin(std::coroutine_handle<> awaiting, CancelHook::Callback abort, void* argument, Start start) {
        started_ = true;
        start();
        if (done_) return false;
        waiter_ = awaiting;
        hook_.link(context_, abort, argument);
        return true;
    }
    Result<std::size_t> outcome();

private:
    void detach();

    Context& context_;
    CancelHook hook_;
    Wakeup wakeup_{context_.world(), &IoOperation::on_wakeup, this};
    IoOperation** slot_ = nullptr;
    std::coroutine_handle<> waiter_;
    std::optional<Error> error_;
    std::size_t bytes_ = 0;
    bool started_ = false;
    bool done_ = false;

    static void on_wakeup(void* self);
};

/// A connected byte stream: TCP, Unix socket, or simulated. At most one read and one write at a time.
/// Thread-safety: none; belongs to its loop. Destroying it closes it; operations in flight then end with an error. A
/// task may be destroyed while its operation is in flight. After a cancelled write the peer may have got a part of it.
class Stream {
public:
    virtual ~Stream() = default;

    class [[nodiscard]] Operation;
    /// Reads at least one byte (requires: room in the buffer); 0 means the peer closed its side. Errors: unavailable
    /// (reset), the context's reason.
    Operation read(Context& context, std::span<char> buffer);
    /// Writes all pieces, in order, as one gathered write where it fits. At most 8 pieces.
    Operation write(Context& context, std::span<const std::string_view> pieces);
    /// The piece's bytes must stay alive until the write is done.
    Operation write(Context& context, std::string_view piece);

    /// Writes as much of the bytes as the transport takes at once, and returns how much: for one who writes to many
    /// streams in a row and whose coroutine would have to be woken for each. 0 also when it cannot tell (the default)
    /// or has failed: go on with write(), which says so. Requires: no write in flight.
    virtual std::size_t write_now([[maybe_unused]] std::string_view bytes) { return 0; }

    /// Sends FIN; reading goes on.
    virtual void shutdown_write() = 0;
    /// Ends operations in flight with an error and closes. Safe to call twice.
    virtual void close() = 0;
    /// Closes so that the peer sees a broken connection rather than an orderly end, where the transport can say so
    /// (TCP: RST). Safe to call twice.
    virtual void reset() { close(); }
    virtual bool is_open() const = 0;
    /// True while idle in a pool: no byte or FIN had arrived when the loop last looked.
    virtual bool is_quiet() const = 0;
    /// The same as of this moment, for a system call: for one who cannot send again what meets a closed connection.
    virtual bool is_quiet_now() const { return is_quiet(); }
    /// The next write sends nothing and fails with `unavailable` and kNotQuiet when, at the moment its first byte
    /// would leave, something has arrived that nobody has read: bytes, or the end. For one who must not take what came
    /// before the question for the answer. Costs that write a system call.
    virtual void guard_next_write() = 0;
    static constexpr const char* kNotQuiet = "not_quiet"; ///< the code of that error
    /// False when it is certain that nothing of what was written since guard_next_write() had reached the other side by
    /// now: bytes that have arrived cannot be an answer to it. Only TCP can tell, for a system call.
    virtual bool has_reached_peer() const { return true; }
    /// What is known of the other side without reading, whatever is unread yet; free of charge where the loop watches
    /// the connection already (from the first wait on), else a system call.
    enum class PeerState : unsigned char {
        present,
        half_closed, ///< it sends no more: it has closed, or waits for an answer after it has said everything
        gone,        ///< nothing that is written will be read
    };
    virtual PeerState peer_state() const = 0;
    /// The other side, e.g. "127.0.0.1:53122" or "unix:".
    virtual const Address& peer() const = 0;

protected:
    friend class Operation;
    /// Starts one operation, and completes it now or later; the buffer and the array of pieces are alive until then.
    virtual void start_read(std::span<char> buffer, IoOperation& operation) = 0;
    virtual void start_write(std::span<const std::string_view> pieces, IoOperation& operation) = 0;
    /// Makes the operations in flight whose context is cancelled complete soon with an error (fail_soon). The stream
    /// stays usable for reading after a cancelled read.
    virtual void abort_operations() = 0;

    /// For streams that wrap another one.
    static void start_read_on(Stream& inner, std::span<char> buffer, IoOperation& operation) {
        inner.start_read(buffer, operation);
    }
    static void start_write_on(Stream& inner, std::span<const std::string_view> pieces, IoOperation& operation) {
        inner.start_write(pieces, operation);
    }
    static void abort_operations_on(Stream& inner) { inner.abort_operations(); }
};

class [[nodiscard]] Stream::Operation : public IoOperation {
public:
    Operation(Context& context, Stream& stream, std::span<char> buffer)
        : IoOperation(context), stream_(stream), buffer_(buffer) {}
    Operation(Context& context, Stream& stream, std::span<const std::string_view> pieces)
        : IoOperation(context), stream_(stream), pieces_(pieces), writing_(true) {}
    Operation(Context& context, Stream& stream, std::string_view piece)
        : IoOperation(context), stream_(stream), piece_(piece), writing_(true), single_(true) {}

    bool await_ready() const { return await_ready_now(); }
    bool await_suspend(std::coroutine_handle<> awaiting) {
        if (single_) pieces_ = {&piece_, 1};
        return begin(
            awaiting, [](void* stream) { static_cast<Stream*>(stream)->abort_operations(); }, &stream_,
            [this] {
                if (writing_) {
                    stream_.start_write(pieces_, *this);
                } else {
                    stream_.start_read(buffer_, *this);
                }
            });
    }
    /// Bytes read, or written.
    Result<std::size_t> await_resume() { return outcome(); }

private:
    Stream& stream_;
    std::span<char> buffer_;
    std::span<const std::string_view> pieces_;
    std::string_view piece_;
    bool writing_ = false;
    bool single_ = false;
};

inline Stream::Operation Stream::read(Context& context, std::span<char> buffer) { return {context, *this, buffer}; }
inline Stream::Operation Stream::write(Context& context, std::span<const std::string_view> pieces) {
    return {context, *this, pieces};
}
inline Stream::Operation Stream::write(Context& context, std::string_view piece) { return {context, *this, piece}; }

/// Accepts streams. Destroying it stops listening and removes its Unix socket file.
class Listener {
public:
    virtual ~Listener() = default;
    /// The next connection. Errors: the context's reason; `unavailable` once closed. Running out of file descriptors
    /// is waited out, not reported. One accept at a time.
    virtual task<Result<std::unique_ptr<Stream>>> accept(Context& context) = 0;
    /// The bound address, with the real port.
    virtual const Address& local() const = 0;
    virtual void close() = 0;
};

} // namespace flotilla
