#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <flotilla/http/http1/head_parser.hpp>

namespace flotilla::http {

/// Takes a body out of the bytes of a connection, in place: by length, chunked (RFC 9112 §7.1, strictly, with trailers)
/// or until the connection's end. What was fed may be cut anywhere. What the input holds of several chunks is moved
/// together into one piece, so that tiny chunks cost no more than others.
class BodyDecoder {
public:
    enum class State : unsigned char { piece, more, done, failed };
    struct Step {
        State state = State::done;
        std::size_t consumed = 0; ///< bytes of the input that are done with, the piece included; may be overwritten
        std::string_view piece;   ///< body bytes, inside the input
    };

    /// `length` counts for BodyFraming::known. A body beyond `bytes_max` fails with 413: at the first next() when its
    /// length says so, else where it grows beyond. The origin counts for trailers.
    void start(BodyFraming framing, std::uint64_t length, std::uint64_t bytes_max, Headers& trailers,
               const HeadLimits& limits, Origin origin);

    /// Replaces bytes_max; false, and failed, when the length announced is above it. Requires: before the first next().
    bool set_limit(std::uint64_t bytes_max);

    /// After done it stays done and consumes nothing; after failed it stays failed.
    Step next(std::span<char> input);
    /// The connection has ended: true when that ends the body rather than cutting it.
    bool end_of_input();

    bool done() const { return state_ == At::end; }
    /// False when a body of known length is above the limit.
    bool fits() const { return framing_ != BodyFraming::known || remaining_ <= bytes_max_ - total_; }
    const ProtocolError& error() const { return error_; }
    /// See HeadParser; for trailers.
    const std::string& failed_at() const { return trailer_parser_.failed_at(); }
    /// Bytes still to come, as far as known: of a known length, or of the chunk at hand.
    std::uint64_t expected() const { return remaining_; }
    BodyFraming framing() const { return framing_; }

private:
    enum class At : unsigned char { data, chunk_size, chunk_data, chunk_end, trailers, end };

    Step fail(const ProtocolError& error);
    Step advance(std::string_view input, std::size_t at);
    Step take(std::string_view input, std::size_t already, At after);
    bool chunk_line(std::string_view line);
    bool count(std::uint64_t bytes);

    BodyFraming framing_ = BodyFraming::none;
    At state_ = At::end;
    std::uint64_t remaining_ = 0;
    std::uint64_t total_ = 0;
    std::uint64_t bytes_max_ = 0;
    std::size_t extension_bytes_ = 0;
    Headers* trailers_ = nullptr;
    HeadLimits limits_;
    Origin origin_ = Origin::client;
    HeadParser trailer_parser_;
    ProtocolError error_;
};

} // namespace flotilla::http
