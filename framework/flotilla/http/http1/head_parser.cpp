#include <flotilla/http/http1/head_parser.hpp>

#include <algorithm>
#include <cstring>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

constexpr std::size_t kPlaceBytesMax = 40;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

} // namespace

std::string ProtocolError::text() const {
    std::string all(detail);
    if (limit > 0) all.append(" (more than ").append(std::to_string(limit)).append(unit).append(")");
    return all;
}

void HeadParser::start(Headers& into, const HeadLimits& limits, Stage stage, Origin origin) {
    headers_ = &into;
    headers_->clear();
    limits_ = limits;
    origin_ = origin;
    stage_ = stage;
    started_ = false;
    searched_ = field_bytes_ = field_count_ = 0;
    folded_.clear();
    error_ = {};
    failed_at_.clear();
}

Progress HeadParser::feed(std::string_view data, std::size_t& consumed) {
    consumed = 0;
    while (true) {
        const auto rest = data.substr(consumed);
        started_ = started_ || !rest.empty();
        const void* found =
            rest.size() > searched_ ? std::memchr(rest.data() + searched_, '\n', rest.size() - searched_) : nullptr;
        if (!found) {
            searched_ = rest.size();
            return partial(rest.size()) ? Progress::more : fail_at(rest);
        }
        const auto size = static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
        const auto text = rest.substr(0, size);
        if (origin_ == Origin::server && stage_ == Stage::fields && size > 1 && text.back() == '\r') {
            searched_ = size;
            if (rest.size() == size + 1) return partial(size) ? Progress::more : fail_at(text);
            if (is_blank(rest[size + 1])) {
                searched_ = 0;
                consumed += size + 1;
                if (!continued_line(text)) return fail_at(text);
                continue;
            }
        }
        searched_ = 0;
        consumed += size + 1;
        bool finished = false;
        if (!line(text, finished)) return fail_at(text);
        if (finished) return Progress::done;
    }
}

Progress HeadParser::fail_at(std::string_view line) {
    if (!folded_.empty()) line = folded_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (stage_ == Stage::fields) line = line.substr(0, line.find(':')); // values may be secrets
    failed_at_ = trim(line.substr(0, kPlaceBytesMax));
    std::ranges::replace_if(failed_at_, [](char c) { return c < ' ' || c > '~'; }, '?');
    return Progress::failed;
}

/// A field's line that another one continues: they are read as one, with a space between them (RFC 9112 §5.2).
/// Requires: it ends with CR.
bool HeadParser::continued_line(std::string_view text) {
    if (!partial(text.size())) return false;
    text.remove_suffix(1);
    if (!count(text)) return false;
    if (folded_.empty()) {
        folded_ = text;
    } else {
        folded_.append(" ").append(trim(text));
    }
    return true;
}

bool HeadParser::line(std::string_view text, bool& finished) {
    // As if the line had come without its end first: how the bytes are cut does not change the verdict.
    if (!partial(text.size())) return false;
    if (text.empty() || text.back() != '\r') return bad("a line ends with LF alone");
    text.remove_suffix(1);
    if (stage_ == Stage::start_line) {
        if (text.empty()) {
            started_ = false;
            return skip_empty_line() || bad("an empty line where a message should start");
        }
        if (text.size() > limits_.start_line_bytes) return start_line_too_long();
        stage_ = Stage::fields;
        return start_line(text);
    }
    if (text.empty()) {
        finished = true;
        return complete();
    }
    if (!count(text)) return false;
    if (++field_count_ > limits_.field_count) {
        return fail(431, "header_fields_too_large", "there are too many header fields", limits_.field_count, "");
    }
    if (folded_.empty()) return field_line(text);
    folded_.append(" ").append(trim(text));
    if (!field_line(folded_)) return false;
    folded_.clear();
    return true;
}

bool HeadParser::count(std::string_view text) {
    field_bytes_ += text.size() + 2;
    return field_bytes_ <= limits_.field_bytes ||
           fail(431, "header_fields_too_large", "the header fields are too large", limits_.field_bytes, " bytes");
}

bool HeadParser::partial(std::size_t bytes) {
    if (stage_ == Stage::start_line) return bytes <= limits_.start_line_bytes + 1 || start_line_too_long();
    return field_bytes_ + bytes <= limits_.field_bytes + 1 ||
           fail(431, "header_fields_too_large", "the header fields are too large", limits_.field_bytes, " bytes");
}

bool HeadParser::field_line(std::string_view text) {
    const auto size = token_prefix(text);
    if (size == 0) {
        if (!is_blank(text.front())) return bad("a header field has no valid name");
        // Before the first field there is nothing to continue (RFC 9112 §2.2).
        return bad(origin_ == Origin::client ? "a header field is folded over several lines"
                                             : "white space stands before the first header field");
    }
    auto colon = size;
    while (origin_ == Origin::server && colon < text.size() && is_blank(text[colon]))
        ++colon;
    if (colon == text.size() || text[colon] != ':') {
        return bad("a header field's name holds a character that is not allowed, or no colon follows it");
    }
    const auto name = text.substr(0, size);
    const auto value = trim(text.substr(colon + 1));
    if (!is_field_value(value)) return bad("a header field's value holds a control character");
    return field(known_field(name), name, value);
}

namespace {

/// RFC 9110 §6.5.1: what frames, routes, authenticates, modifies the request, controls the response or says how to
/// read the content counts in the head alone. Whoever merged it from the trailers would act on it too late, or be
/// talked into something the head's reader had refused.
constexpr std::string_view kNeverTrailers[] = {
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Upgrade",
    "Trailer",
    "TE",
    "Max-Forwards",
    "Expect",
    "Cache-Control",
    "Pragma",
    "Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Range",
    "If-Unmodified-Since",
    "Authorization",
    "Cookie",
    "Set-Cookie",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Age",
    "Date",
    "Expires",
    "Location",
    "Retry-After",
    "Vary",
    "Content-Encoding",
    "Content-Type",
    "Content-Range",
};

} // namespace

bool HeadParser::start_line(std::string_view) { return bad("a trailer section has no start line"); }
bool HeadParser::start_line_too_long() { return bad("the start line is too long"); }

bool HeadParser::field(KnownField known, std::string_view name, std::string_view value) {
    const bool frames = known == KnownField::content_length || known == KnownField::transfer_encoding;
    // No client has a reason to say this here; who does counts on a reader further on that takes it for the head's.
    if (origin_ == Origin::client && (frames || known == KnownField::host))
        return bad("a trailer frames or routes a message whose head has done so");
    for (const auto each : kNeverTrailers) {
        if (equal_ignoring_case(name, each)) return true; // neither kept nor sent on; it has not changed what was read
    }
    keep(known, name, value);
    return true;
}

} // namespace flotilla::http
