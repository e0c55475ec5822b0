#pragma once

#include <optional>
#include <string>

#include <flotilla/aio/event.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/http/http1/body_decoder.hpp>
#include <flotilla/http/http1/encoder.hpp>
#include <flotilla/http/http1/read_buffer.hpp>
#include <flotilla/http/http1/sender.hpp>

namespace flotilla::http {

/// One HTTP/1.1 connection of a client, reused from request to request: writes one request, reads its response.
/// Thread-safety: none.
class ClientConnection {
public:
    ClientConnection(std::unique_ptr<Stream> stream, const ClientOptions& options);

    /// Prepares for the next exchange. `reused`: it comes from a pool.
    void start(bool reused);

    task<Result<void>> send(Context& context, const RequestHead& head, const Address& address, BodySize size);
    task<Result<void>> send_whole(Context& context, const RequestHead& head, const Address& address,
                                  std::string_view body);
    task<Result<void>> write(Context& context, std::string_view piece);
    task<Result<void>> finish(Context& context, const Headers& trailers);
    task<Result<const ResponseHead*>> receive(Context& context);
    task<Result<std::string_view>> read(Context& context);
    void reset();

    BodySize response_body_size() const { return response_body_size_; }
    const Headers& response_trailers() const { return trailers_; }
    /// Moves the received head out; the object keeps no use of it.
    ResponseHead take_head() { return std::move(response_); }
    bool may_be_stale() const { return reused_ && !response_started_; }
    /// The request could not be written to its end, so it cannot have been acted upon.
    bool request_cut() const { return request_ == Side::broken; }
    /// The exchange is over and the connection fit for another one.
    bool reusable() const;
    bool is_quiet() const { return stream_->is_quiet(); }

    Instant idle_since{};

private:
    enum class Side : unsigned char { idle, open, done, broken };

    HeadLimits head_limits() const;
    Result<void> begin_request(const RequestHead& head, const Address& address, BodySize size);
    task<Result<void>> transmit(Context& context, std::string_view body, std::string_view tail);
    task<Result<std::size_t>> fill(Context& context, std::size_t wanted);
    Error unsent_error() const;
    Error cut(std::string_view why);
    void begin_body();
    Error bad_response(const ProtocolError& error, std::string_view at = {});

    const ClientOptions& options_;
    std::unique_ptr<Stream> stream_;
    ReadBuffer buffer_;
    std::size_t held_ = 0;
    Sender sender_;

    Side request_ = Side::idle;
    bool to_head_ = false;
    bool chunked_ = false;
    std::uint64_t unwritten_ = 0;
    bool unsent_ = false; // nothing of it has left, nor will: the server spoke or closed before

    Side response_side_ = Side::idle;
    bool reused_ = false;
    bool response_started_ = false;
    bool announced_ = false; // a body, by a response that may have none: what follows may be one
    ResponseParser parser_;
    ResponseHead response_;
    BodyDecoder body_;
    BodySize response_body_size_;
    Headers trailers_;
};

} // namespace flotilla::http
