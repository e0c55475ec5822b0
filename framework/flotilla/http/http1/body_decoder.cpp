#include <flotilla/http/http1/body_decoder.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

constexpr std::size_t kChunkLineMax = 1024;
constexpr std::size_t kExtensionBytesMax = 16 * 1024; // of a whole message: tiny chunks must not smuggle in megabytes

constexpr ProtocolError kBadChunk{400, "bad_message", "a chunk is malformed"};
constexpr ProtocolError kLongChunkLine{400, "bad_message", "a chunk's extensions are too long"};
constexpr ProtocolError kTooLarge{413, "content_too_large", "the body is too large"};

/// The rest of `text` after spaces and tabs ("bad white space", RFC 9110 §5.6.3).
std::string_view skip_space(std::string_view text) {
    const auto at = text.find_first_not_of(" \t");
    return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

/// Cuts a quoted-string off the front; false when it does not end or holds what it may not.
bool skip_quoted(std::string_view& text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            const bool valid = is_field_value(text.substr(0, i));
            text.remove_prefix(i + 1);
            return valid;
        }
    }
    return false;
}

/// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ): read strictly, then ignored.
bool valid_extensions(std::string_view text) {
    while (!text.empty()) {
        text = skip_space(text);
        if (!text.starts_with(';')) return false;
        text = skip_space(text.substr(1));
        const auto name = token_prefix(text);
        if (name == 0) return false;
        text.remove_prefix(name);
        const auto after = skip_space(text);
        if (!after.starts_with('=')) continue;
        text = skip_space(after.substr(1));
        if (text.starts_with('"')) {
            if (!skip_quoted(text)) return false;
        } else {
            const auto value = token_prefix(text);
            if (value == 0) return false;
            text.remove_prefix(value);
        }
    }
    return true;
}

} // namespace

void BodyDecoder::start(BodyFraming framing, std::uint64_t length, std::uint64_t bytes_max, Headers& trailers,
                        const HeadLimits& limits, Origin origin) {
    framing_ = framing;
    remaining_ = framing == BodyFraming::known         ? length
                 : framing == BodyFraming::until_close ? std::numeric_limits<std::uint64_t>::max()
                                                       : 0;
    state_ = framing == BodyFraming::none || (framing == BodyFraming::known && length == 0) ? At::end
             : framing == BodyFraming::chunked                                              ? At::chunk_size
                                                                                            : At::data;
    total_ = 0;
    bytes_max_ = bytes_max;
    extension_bytes_ = 0;
    trailers_ = &trailers;
    if (trailers.size() > 0) trailers.clear();
    limits_ = limits;
    origin_ = origin;
    error_ = {};
}

bool BodyDecoder::set_limit(std::uint64_t bytes_max) {
    bytes_max_ = bytes_max;
    if (!fits()) error_ = kTooLarge;
    return fits();
}

BodyDecoder::Step BodyDecoder::fail(const ProtocolError& error) {
    error_ = error;
    return {State::failed, 0, {}};
}

bool BodyDecoder::count(std::uint64_t bytes) {
    total_ += bytes;
    return total_ <= bytes_max_;
}

BodyDecoder::Step BodyDecoder::take(std::string_view input, std::size_t already, At after) {
    const auto piece = input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), remaining_)));
    if (piece.empty()) return {State::more, already, {}};
    if (!count(piece.size())) return fail(kTooLarge);
    if (framing_ != BodyFraming::until_close) remaining_ -= piece.size();
    if (remaining_ == 0) state_ = after;
    return {State::piece, already + piece.size(), piece};
}

BodyDecoder::Step BodyDecoder::next(std::span<char> input) {
    if (error_) return {State::failed, 0, {}};
    const std::string_view bytes(input.data(), input.size());
    auto step = advance(bytes, 0);
    if (step.state != State::piece) return step;
    char* const begin = input.data() + step.consumed - step.piece.size();
    // The next chunk's bytes follow this one's, over the framing between them, which is read by then.
    while (state_ == At::chunk_end) {
        const auto more = advance(bytes, step.consumed);
        if (more.state == State::failed) break; // said by the next call, after the bytes that came before
        step.consumed = more.consumed;
        if (more.state != State::piece) break;
        std::memmove(begin + step.piece.size(), more.piece.data(), more.piece.size());
        step.piece = {begin, step.piece.size() + more.piece.size()};
    }
    return step;
}

/// One step from `at` on. Requires: no failure.
BodyDecoder::Step BodyDecoder::advance(std::string_view input, std::size_t at) {
    while (true) {
        const auto rest = input.substr(at);
        switch (state_) {
        case At::end:
            return {State::done, at, {}};
        case At::data:
            if (!fits()) return fail(kTooLarge); // refused before it is sent
            return take(rest, at, At::end);
        case At::chunk_data:
            return take(rest, at, At::chunk_end);
        case At::chunk_end:
            if (rest.size() < 2) return !rest.empty() && rest[0] != '\r' ? fail(kBadChunk) : Step{State::more, at, {}};
            if (!rest.starts_with("\r\n")) return fail(kBadChunk);
            at += 2;
            state_ = At::chunk_size;
            break;
        case At::chunk_size: {
            const auto end = rest.substr(0, kChunkLineMax).find('\n');
            if (end == std::string_view::npos) {
                return rest.size() >= kChunkLineMax ? fail(kLongChunkLine) : Step{State::more, at, {}};
            }
            if (!chunk_line(rest.substr(0, end))) return fail(error_);
            at += end + 1;
            break;
        }
        case At::trailers: {
            std::size_t consumed = 0;
            const auto progress = trailer_parser_.feed(rest, consumed);
            at += consumed;
            if (progress == Progress::failed) return fail(trailer_parser_.error());
            if (progress == Progress::more) return {State::more, at, {}};
            state_ = At::end;
            break;
        }
        }
    }
}

bool BodyDecoder::chunk_line(std::string_view line) {
    error_ = kBadChunk;
    if (!line.ends_with('\r')) return false;
    line.remove_suffix(1);
    std::size_t digits = 0;
    std::uint64_t size = 0;
    for (; digits < line.size() && hex_value(line[digits]) >= 0; ++digits) {
        if (size >> 60 != 0) return false;
        size = size * 16 + static_cast<std::uint64_t>(hex_value(line[digits]));
    }
    if (digits == 0) return false;
    const auto extensions = line.substr(digits);
    if (!valid_extensions(extensions)) return false;
    extension_bytes_ += extensions.size();
    if (extension_bytes_ > kExtensionBytesMax) {
        error_ = kLongChunkLine;
        return false;
    }
    if (size > bytes_max_ - total_) { // refused before it is sent
        error_ = kTooLarge;
        return false;
    }
    error_ = {};
    remaining_ = size;
    state_ = size > 0 ? At::chunk_data : At::trailers;
    if (size == 0) trailer_parser_.start_trailers(*trailers_, limits_, origin_);
    return true;
}

bool BodyDecoder::end_of_input() {
    if (state_ == At::end) return true;
    if (framing_ == BodyFraming::until_close) {
        state_ = At::end;
        return true;
    }
    error_ = {400, "bad_message", "the connection ended before the body did"};
    return false;
}

} // namespace flotilla::http
