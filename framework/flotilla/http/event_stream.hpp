#pragma once

#include <string>
#include <string_view>

#include <flotilla/aio/event.hpp>
#include <flotilla/http/exchange.hpp>

namespace flotilla::http {

/// The media type of Server-Sent Events (WHATWG HTML, "Server-sent events").
inline constexpr std::string_view kEventStream = "text/event-stream";

/// Whether a Content-Type says that, whatever parameters follow.
bool is_event_stream(std::string_view content_type);

/// Appends one event: its id, and its data line by line. An empty id leaves the client where it is; without data it
/// only says where the client stands. Throws std::invalid_argument for an id with CR, LF or NUL: that is a bug.
void append_event(std::string& out, std::string_view id, std::string_view data);

/// The answer to one request as a stream of events. The head goes out with the first events, or when there are none to
/// wait for: until then the request can still be refused. What is sent is gathered (kGatheredBytesMax) and written when
/// that is full or the sender waits; while a reader does not take it the sender waits for it. Lives in the frame of
/// whoever handles the request. Thread-safety: none; one loop.
class EventStreamWriter {
public:
    struct Options {
        /// A comment after so much silence: it keeps proxies from closing what seems dead, and finds out who has gone.
        Duration heartbeat = std::chrono::seconds(15);
        /// A reader that takes nothing for so long loses the connection; with Last-Event-ID it goes on where it was.
        Duration reader_timeout = std::chrono::seconds(30);
    };
    static constexpr std::size_t kGatheredBytesMax = 16 * 1024;

    EventStreamWriter(Exchange& exchange, Options options) : exchange_(exchange), options_(options) {}

    /// `Last-Event-ID`: the id of the last event that the client has got; empty at its first visit.
    std::string_view last_event_id() const;
    /// Errors, of all that send: unavailable `client_too_slow` for a reader that took nothing, unavailable (it has
    /// gone), the context's reason.
    task<Result<void>> send(Context& context, std::string_view id, std::string_view data);
    /// Sends what is gathered, then waits for `news`, with heartbeats meanwhile. Errors as above; cancelled when the
    /// request is a HEAD, which has its whole answer then.
    task<Result<void>> wait(Context& context, Event& news);
    /// Sends what is gathered and ends the stream, so that it is whole for the client.
    task<Result<void>> finish(Context& context);
    /// Whether the head is out.
    bool begun() const { return exchange_.responded(); }

private:
    task<Result<void>> flush(Context& context);

    Exchange& exchange_;
    const Options options_;
    std::string gathered_;
};

} // namespace flotilla::http
