#pragma once

#include <optional>
#include <string>

#include <flotilla/aio/event.hpp>
#include <flotilla/http/attempts.hpp>
#include <flotilla/http/http1/body_decoder.hpp>
#include <flotilla/http/http1/encoder.hpp>
#include <flotilla/http/http1/read_buffer.hpp>
#include <flotilla/http/http1/sender.hpp>
#include <flotilla/http/server.hpp>

namespace flotilla::http {

class ServerConnection;

/// A request body left unread is read to its end up to this size; beyond it the connection ends.
inline constexpr std::uint64_t kDrainBytesMax = 64 * 1024;

/// The error a refused message stands for.
Error to_error(const ProtocolError& error);

/// What the connections of one server share.
struct ServerState {
    World& world;
    Handler handler;
    ServerOptions options;
    Server::Statistics statistics;
    bool draining = false;
    ServerConnection* first = nullptr; ///< intrusive list of all connections

    Timer client_check{world, &ServerState::check_clients, this}; ///< armed while requests are handled

    ServerState(World& its_world, Handler its_handler, const ServerOptions& its_options)
        : world(its_world), handler(std::move(its_handler)), options(its_options) {}

    /// The Date field's value, made once per second.
    std::string_view date();
    /// Sees to it that the clients of requests under way are looked at.
    void expect_check() {
        if (options.client_check_interval <= Duration::zero() || client_check.armed()) return;
        client_check.arm(world.monotonic() + options.client_check_interval);
    }

private:
    static void check_clients(void* self);
    std::int64_t date_second_ = -1;
    std::string date_text_;
};

/// One HTTP/1.1 connection of a server: reads heads, calls the handler with itself as the Exchange, keeps order.
/// All memory it needs is reused from request to request.
class ServerConnection final : public Exchange {
public:
    ServerConnection(ServerState& server, std::unique_ptr<Stream> stream, Context& parent);
    ~ServerConnection() override;

    /// Serves requests until the connection ends.
    task<void> serve();
    /// Ends it when no request is under way (for shutdown).
    void close_if_idle();
    /// Cancels what is done for a client that has gone. False when no request is being handled.
    bool check_client();
    ServerConnection* next() const { return next_; }

    const RequestHead& request() const override { return request_; }
    BodySize request_body_size() const override { return request_body_size_; }
    const Address& peer() const override { return peer_; }
    Result<void> limit_body(std::uint64_t bytes_max) override;
    void limit_time(Duration max) override;
    void limit_criticality(Criticality max) override;
    void end_with_client() override { ends_with_client_ = true; }
    task<Result<std::string_view>> read(Context& context) override;
    const Headers& request_trailers() const override { return trailers_; }
    task<Result<void>> send(Context& context, const ResponseHead& head, BodySize size) override;
    task<Result<void>> write(Context& context, std::string_view piece) override;
    task<Result<void>> finish(Context& context, const Headers& trailers) override;
    task<Result<void>> respond(Context& context, const ResponseHead& head, std::string_view body) override;
    bool responded() const override { return answer_ != Answer::none; }
    void reset() override;
    task<Result<std::unique_ptr<Stream>>> upgrade(Context& context, const ResponseHead& head) override;

private:
    enum class Answer : unsigned char { none, streaming, finished, broken, upgraded };
    // The connection's side: server_connection.cpp.
    task<bool> read_head(bool first);
    void start_request();
    Result<void> read_wishes();
    task<void> handle();
    task<bool> conclude();
    task<bool> drain();
    task<void> linger();
    task<void> refuse(Error error);

    // The handler's side: server_exchange.cpp.
    bool body_out_of_reach() const;
    Result<void> begin_answer(const ResponseHead& head, BodySize size, bool whole);
    task<Result<void>> transmit(Context& context, std::string_view body, std::string_view tail);
    Error refuse_body();
    void earn_body_time(std::size_t bytes);
    task<Result<void>> send_continue(Context& context);
    Context& for_answer(Context& context) { return context.cancelled() ? context_ : context; }

    ServerState& server_;
    std::unique_ptr<Stream> stream_;
    Address peer_;
    Context context_;
    Context* idle_wait_ = nullptr; // set while waiting for the first byte of a request
    ServerConnection** previous_;
    ServerConnection* next_;

    ReadBuffer buffer_;
    std::size_t held_ = 0; // bytes at the buffer's front that read() has given out
    RequestParser parser_;
    RequestHead request_;
    BodyDecoder body_;
    BodySize request_body_size_;
    Headers trailers_;
    Deadline wanted_by_;                     // what the client said of the request
    std::optional<Criticality> criticality_; // likewise
    AttemptsSpent attempts_;                 // likewise
    Context* handling_ = nullptr;            // what the handler was given
    Instant body_deadline_{};
    std::optional<Instant> body_given_at_; // when read() gave out a piece with more to come
    bool continue_pending_ = false;        // the client waits for 100 (Continue)
    bool ends_with_client_ = false;

    Answer answer_ = Answer::none;
    Sender sender_;
    bool close_ = false;
    bool bodiless_ = false; // HEAD, 204, 304: nothing follows the head
    bool chunked_ = false;
    bool until_close_ = false;    // HTTP/1.0 and an unknown size
    std::uint64_t unwritten_ = 0; // of a known size
};

} // namespace flotilla::http
