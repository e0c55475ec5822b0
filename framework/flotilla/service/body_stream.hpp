#pragma once

#include <optional>
#include <string_view>

#include <flotilla/http/exchange.hpp>

namespace flotilla {

/// The body of a streamed endpoint's request, while its handler runs: bytes of any content type, piece by piece. What a
/// handler leaves unread is drained when it is small, else the connection ends after the answer.
/// Thread-safety: none; belongs to its loop.
class BodyStream {
public:
    explicit BodyStream(http::Exchange& exchange) : exchange_(exchange) {}
    BodyStream(const BodyStream&) = delete;
    BodyStream& operator=(const BodyStream&) = delete;

    /// The next piece (64 KiB at most, whatever the body's size); empty at the end. Valid until the next call. Reading
    /// nothing makes the sender wait. Errors: too_large (past the endpoint's limit), invalid (bad framing, or too
    /// slow), unavailable (the sender has gone), the context's reason. Pass them on: such a body is not whole.
    task<Result<std::string_view>> read(Context& context) { return exchange_.read(context); }
    /// The size the sender announced; nothing when it is known only at the end.
    std::optional<std::uint64_t> size() const {
        const auto size = exchange_.request_body_size();
        if (size.framing == http::BodySize::Framing::unknown) return std::nullopt;
        return size.bytes;
    }
    /// The request's fields, such as content-type.
    const http::Headers& headers() const { return exchange_.request().headers; }

private:
    http::Exchange& exchange_;
};

} // namespace flotilla
