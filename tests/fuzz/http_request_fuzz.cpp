#include <array>
#include <string>

#include <flotilla/http/http1/codec_driver.hpp>
#include <flotilla/http/http1/encoder.hpp>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/message_rules.hpp"

// A connection's bytes as a server reads them: whatever the cuts, every message means the same; what is accepted obeys
// the framing rules by an independent check; encoded again, it is accepted again and means the same.

namespace flotilla::http {
namespace {

using fuzz::require;

constexpr std::uint64_t kBodyMax = 4096;

struct Message {
    RequestHead head;
    Headers trailers;
    Decoded decoded;
    bool keep_alive = false;
    BodyFraming framing = BodyFraming::none;
};

Message read(std::string_view bytes, std::size_t step, const HeadLimits& limits) {
    Message message;
    RequestParser parser;
    BodyDecoder decoder;
    parser.start(message.head, limits);
    message.decoded = decode(parser, decoder, bytes, step, [&](BodyDecoder& body) {
        message.keep_alive = parser.framing().keep_alive();
        message.framing = parser.framing().request_body();
        body.start(message.framing, parser.framing().length(), kBodyMax, message.trailers, limits, Origin::client);
    });
    return message;
}

void require_same(const Message& a, const Message& b) {
    require(a.decoded.status == b.decoded.status, "the cuts change the verdict");
    require(a.decoded.complete == b.decoded.complete, "the cuts change whether the message is whole");
    if (!a.decoded.complete) return;
    require(a.decoded.consumed == b.decoded.consumed, "the cuts change where the message ends");
    require(a.decoded.body == b.decoded.body, "the cuts change the body");
    require(a.keep_alive == b.keep_alive, "the cuts change whether the connection stays");
    require(a.head.method_name == b.head.method_name && a.head.target == b.head.target &&
                a.head.authority == b.head.authority,
            "the cuts change the request line");
    require(fuzz::same_fields(a.head.headers, b.head.headers), "the cuts change the fields");
    require(fuzz::same_fields(a.trailers, b.trailers), "the cuts change the trailers");
}

void require_survives_encoding(const Message& message) {
    if (message.head.authority.empty()) return; // HTTP/1.0 without Host: not sent on
    std::string out;
    HeadFraming framing;
    if (message.framing == BodyFraming::known) {
        framing.length = HeadFraming::Length::bytes;
        framing.bytes = message.decoded.body.size();
    } else if (message.framing == BodyFraming::chunked) {
        framing.length = HeadFraming::Length::chunked;
    }
    require(encode_request_head(out, message.head, message.head.authority, framing),
            "an accepted request cannot be sent on");
    if (framing.length == HeadFraming::Length::chunked) {
        if (!message.decoded.body.empty()) {
            encode_chunk_line(out, message.decoded.body.size());
            out += message.decoded.body + "\r\n";
        }
        encode_last_chunk(out, message.trailers);
    } else {
        out += message.decoded.body;
    }
    const auto again = read(out, out.size() + 1, {.start_line_bytes = 64 * 1024, .field_bytes = 256 * 1024});
    require(again.decoded.status == 0 && again.decoded.complete, "an accepted request is refused when sent on");
    require(again.decoded.consumed == out.size(), "a request sent on ends elsewhere");
    require(again.head.method_name == message.head.method_name && again.head.target == message.head.target &&
                again.head.authority == message.head.authority,
            "a request sent on says something else");
    require(again.decoded.body == message.decoded.body, "a request sent on has another body");
}

void check(std::string_view bytes, const HeadLimits& limits) {
    for (int messages = 0; messages < 8 && !bytes.empty(); ++messages) {
        const auto whole = read(bytes, bytes.size(), limits);
        for (const std::size_t step : std::array<std::size_t, 3>{1, 2, 7})
            require_same(whole, read(bytes, step, limits));
        if (whole.decoded.status != 0 || !whole.decoded.complete) return;
        require(whole.decoded.consumed > 0 && whole.decoded.consumed <= bytes.size(), "consumed is out of range");
        fuzz::require_unambiguous(bytes.substr(0, whole.decoded.consumed), false);
        require_survives_encoding(whole);
        if (!whole.keep_alive) return;
        bytes.remove_prefix(whole.decoded.consumed);
    }
}

} // namespace
} // namespace flotilla::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = flotilla::fuzz::text_of(data, size);
    flotilla::http::check(bytes, {});
    flotilla::http::check(bytes, {.start_line_bytes = 40, .field_bytes = 80, .field_count = 4});
    return 0;
}
