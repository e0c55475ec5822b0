#include <array>
#include <string>

#include <flotilla/http/http1/codec_driver.hpp>
#include <flotilla/http/http1/encoder.hpp>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/message_rules.hpp"

// A connection's bytes as a client reads them, for an answer to GET and one to HEAD: whatever the cuts, the message
// means the same; what is accepted is unambiguous and survives being sent on.

namespace flotilla::http {
namespace {

using fuzz::require;

constexpr std::uint64_t kBodyMax = 4096;

struct Message {
    ResponseHead head;
    Headers trailers;
    Decoded decoded;
    BodyFraming framing = BodyFraming::none;
    bool keep_alive = false;
};

Message read(std::string_view bytes, std::size_t step, const HeadLimits& limits, bool to_head) {
    Message message;
    ResponseParser parser;
    BodyDecoder decoder;
    parser.start(message.head, limits);
    message.decoded = decode(parser, decoder, bytes, step, [&](BodyDecoder& body) {
        message.keep_alive = parser.framing().keep_alive();
        message.framing = parser.framing().response_body(message.head.status, to_head);
        body.start(message.framing, parser.framing().length(), kBodyMax, message.trailers, limits, Origin::server);
    });
    return message;
}

void require_same(const Message& a, const Message& b) {
    require((a.decoded.status == 0) == (b.decoded.status == 0), "the cuts change the verdict");
    require(a.decoded.complete == b.decoded.complete, "the cuts change whether the message is whole");
    if (!a.decoded.complete) return;
    require(a.decoded.consumed == b.decoded.consumed, "the cuts change where the message ends");
    require(a.decoded.body == b.decoded.body, "the cuts change the body");
    require(a.keep_alive == b.keep_alive && a.head.status == b.head.status && a.framing == b.framing,
            "the cuts change the head");
    require(fuzz::same_fields(a.head.headers, b.head.headers), "the cuts change the fields");
    require(fuzz::same_fields(a.trailers, b.trailers), "the cuts change the trailers");
}

void require_survives_encoding(const Message& message) {
    if (message.head.status < 200 || message.framing == BodyFraming::none) return;
    std::string out;
    encode_response_head(out, message.head, {HeadFraming::Length::chunked}, "Thu, 01 Jan 1970 00:00:00 GMT");
    if (!message.decoded.body.empty()) {
        encode_chunk_line(out, message.decoded.body.size());
        out += message.decoded.body + "\r\n";
    }
    encode_last_chunk(out, message.trailers);
    const HeadLimits wide{.start_line_bytes = 64 * 1024, .field_bytes = 256 * 1024, .field_count = 200};
    const auto again = read(out, out.size(), wide, false);
    require(again.decoded.status == 0 && again.decoded.complete, "an accepted response is refused when sent on");
    require(again.decoded.consumed == out.size(), "a response sent on ends elsewhere");
    require(again.head.status == message.head.status && again.decoded.body == message.decoded.body,
            "a response sent on says something else");
}

void check(std::string_view bytes, const HeadLimits& limits, bool to_head) {
    const auto whole = read(bytes, bytes.size(), limits, to_head);
    for (const std::size_t step : std::array<std::size_t, 3>{1, 2, 7})
        require_same(whole, read(bytes, step, limits, to_head));
    if (whole.decoded.status != 0 || !whole.decoded.complete) return;
    require(whole.decoded.consumed <= bytes.size(), "consumed is out of range");
    require(whole.head.status >= 100 && whole.head.status <= 599, "an impossible status was accepted");
    fuzz::require_unambiguous(bytes.substr(0, whole.decoded.consumed), true);
    require_survives_encoding(whole);
}

} // namespace
} // namespace flotilla::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = flotilla::fuzz::text_of(data, size);
    flotilla::http::check(bytes, {}, false);
    flotilla::http::check(bytes, {}, true);
    flotilla::http::check(bytes, {.start_line_bytes = 40, .field_bytes = 80, .field_count = 4}, false);
    return 0;
}
