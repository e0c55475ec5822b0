#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/stream.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// One request and its response as a server sees them, whatever the protocol below (HTTP/1.1 now, HTTP/2 later):
/// head, body with back-pressure, trailers, reset, upgrade. Handlers and proxies never see a codec.
/// Order: read the request body as far as wanted; send() once, write() any number of times, finish() once; or
/// respond(). What the handler leaves unread is drained or the connection closed. One task may read() while another
/// sends: proxies pass on an early answer. Thread-safety: none; belongs to its loop.
class Exchange {
public:
    virtual ~Exchange() = default;

    virtual const RequestHead& request() const = 0;
    /// What the request's framing announced.
    virtual BodySize request_body_size() const = 0;
    /// Where the request came from.
    virtual const Address& peer() const = 0;

    /// Replaces the server's limit of the request body, once it is known what the request is for. Errors: too_large at
    /// once when the announced length is above it; read() finds the same, and where a chunked body exceeds it. Nothing
    /// is read then, nor asked for with 100 (Continue). Requires: before the first read().
    virtual Result<void> limit_body(std::uint64_t bytes_max) = 0;
    /// Replaces the server's request_timeout, counted from now; an earlier deadline that the client brought stays.
    /// Moves the deadline of the context that the handler was given. Requires: no child of that context has been made.
    virtual void limit_time(Duration max) = 0;

    /// Says how critical a request is unless its client asks for less, once it is known what the request is for: a
    /// client may lower that but not raise it. Without it the client's word counts. Sets Context::criticality of the
    /// context that the handler was given. Requires: as limit_time().
    virtual void limit_criticality(Criticality max) = 0;

    /// For an answer that goes on and on: whatever the server's cancel_on_half_close says, a client that closes its
    /// sending half has gone.
    virtual void end_with_client() = 0;

    /// The next piece of the request body; empty at its end. Valid until the next call. Reading nothing applies
    /// back-pressure. Errors: invalid (bad framing; `request_timeout` when a time, the context's deadline included,
    /// ends while the client is waited for), too_large, unavailable (peer gone), the context's reason.
    virtual task<Result<std::string_view>> read(Context& context) = 0;
    /// Trailers of the request; complete once read() gave the empty piece.
    virtual const Headers& request_trailers() const = 0;

    /// Sends the response head. Connection management and framing fields are the codec's: the caller's are ignored.
    /// With a known size the head may leave together with the first piece.
    virtual task<Result<void>> send(Context& context, const ResponseHead& head, BodySize size) = 0;
    /// Errors, of all that send: unavailable (peer gone; `client_too_slow` when a time, the context's deadline
    /// included, ends while the client does not take it), the context's reason.
    virtual task<Result<void>> write(Context& context, std::string_view piece) = 0;
    /// Ends the response. Requires: for a known size, exactly that many bytes were written.
    virtual task<Result<void>> finish(Context& context, const Headers& trailers = {}) = 0;
    /// Head and whole body at once (one gathered write). HEAD requests and 204/304 send no body. Also sends when the
    /// context's deadline has passed, so that 504 can be said; the server's write timeout bounds it then.
    virtual task<Result<void>> respond(Context& context, const ResponseHead& head, std::string_view body) = 0;
    /// True once a response head has been sent.
    virtual bool responded() const = 0;

    /// Gives up on the response: the peer sees a broken message, never a complete-looking one.
    virtual void reset() = 0;
    /// Sends `head` (101 or 2xx to CONNECT) and hands over the connection, with bytes already received in front.
    virtual task<Result<std::unique_ptr<Stream>>> upgrade(Context& context, const ResponseHead& head) = 0;

    /// The whole request body, in memory: limit_body() bounds it. Errors: as read().
    task<Result<std::string>> read_all(Context& context);
};

/// One request and its response as a client sees them.
/// Order: send(), write()*, finish(); receive(); read()* to the end. One task may receive() and read() while another
/// writes. Destroying it early resets the connection;
/// after the response's end the connection returns to its pool. One coroutine may send while another receives.
class ClientExchange {
public:
    virtual ~ClientExchange() = default;

    /// Sends the request head. Host is taken from head.authority (the address without one). Framing fields of the
    /// caller are ignored. With a known size the head may leave together with the first piece.
    virtual task<Result<void>> send(Context& context, const RequestHead& head, BodySize size) = 0;
    virtual task<Result<void>> write(Context& context, std::string_view piece) = 0;
    virtual task<Result<void>> finish(Context& context, const Headers& trailers = {}) = 0;
    /// Head and whole body at once (one gathered write).
    virtual task<Result<void>> send_whole(Context& context, const RequestHead& head, std::string_view body) = 0;

    /// The final response head (1xx are skipped). Valid until this object ends. Errors: bad_gateway (`no_response`,
    /// `response_cut`, `bad_response`, `response_head_too_large`), each with what was wrong; the context's reason.
    virtual task<Result<const ResponseHead*>> receive(Context& context) = 0;
    /// What the response's framing announced; to HEAD: what a GET would have got, though no body follows.
    virtual BodySize response_body_size() const = 0;
    /// The next piece of the response body; empty at its end. Errors: bad_gateway (bad or cut message).
    virtual task<Result<std::string_view>> read(Context& context) = 0;
    virtual const Headers& response_trailers() const = 0;
    /// The head that receive() gave, for good; what receive() returned is then empty. Requires: the body was read.
    virtual ResponseHead take_head() = 0;
    /// True when the connection was reused from the pool and no byte of a response has arrived: the server may have
    /// closed it before it saw the request, so an idempotent (or never completed) request may be sent again. When it
    /// had closed or said something before the request left, sending fails and nothing of the request was sent
    /// (unavailable `connection_stale`, `unsolicited_response`).
    virtual bool may_be_stale() const = 0;
    virtual void reset() = 0;
};

} // namespace flotilla::http
