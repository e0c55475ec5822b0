#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include <flotilla/http/http1/body_decoder.hpp>

namespace flotilla::http {

/// What became of one message fed to the codec, for tests and fuzzers.
struct Decoded {
    int status = 0;        ///< of the refusal; 0: none
    bool complete = false; ///< the message ended
    std::string body;
    std::size_t consumed = 0; ///< bytes of the input that belong to the message
};

/// Feeds `bytes` to a parser and then to a body decoder in pieces of `step` bytes, as a connection would.
/// `begin_body(decoder, trailers)` starts the decoder once the head is complete.
template <class Parser, class BeginBody>
Decoded decode(Parser& parser, BodyDecoder& decoder, std::string_view bytes, std::size_t step, BeginBody begin_body) {
    Decoded result;
    std::string received(bytes); // a decoder moves the bytes of a body in it
    std::size_t available = 0;
    bool in_body = false;
    while (true) {
        if (!in_body) {
            std::size_t consumed = 0;
            const auto seen = std::string_view(received).substr(result.consumed, available - result.consumed);
            const auto progress = parser.feed(seen, consumed);
            result.consumed += consumed;
            if (progress == Progress::failed) {
                result.status = parser.error().status;
                return result;
            }
            if (progress == Progress::done) {
                in_body = true;
                begin_body(decoder);
                continue;
            }
        } else {
            const auto taken = decoder.next(std::span(received).subspan(result.consumed, available - result.consumed));
            result.consumed += taken.consumed;
            if (taken.state == BodyDecoder::State::failed) {
                result.status = decoder.error().status;
                return result;
            }
            if (taken.state == BodyDecoder::State::done) {
                result.complete = true;
                return result;
            }
            if (taken.state == BodyDecoder::State::piece) {
                result.body.append(taken.piece);
                continue;
            }
        }
        if (available == bytes.size()) {
            result.complete = in_body && decoder.end_of_input();
            return result;
        }
        available = std::min(bytes.size(), available + step);
    }
}

} // namespace flotilla::http
