#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/http/http1/framing.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// What the codec itself says in a head. The caller's fields of the same meaning are left out.
struct HeadFraming {
    enum class Length : unsigned char { absent, bytes, chunked };
    enum class Connection : unsigned char { unsaid, close, keep_alive, upgrade };
    Length length = Length::absent;
    std::uint64_t bytes = 0;
    Connection connection = Connection::unsaid;
};

/// Appends a response head, blank line included. `date` is added unless the headers have one.
void encode_response_head(std::string& out, const ResponseHead& head, const HeadFraming& framing,
                          std::string_view date);

/// Appends a request head; `authority` becomes Host. False, with nothing appended, when the method, target or
/// authority could not be sent without changing the message's meaning (spaces, control characters).
[[nodiscard]] bool encode_request_head(std::string& out, const RequestHead& head, std::string_view authority,
                                       const HeadFraming& framing);

/// Appends the line in front of a chunk's data; "\r\n" follows the data.
void encode_chunk_line(std::string& out, std::uint64_t size);
/// Appends the last chunk and the trailers.
void encode_last_chunk(std::string& out, const Headers& trailers);

} // namespace flotilla::http
