#include <flotilla/http/http1/head_parser.hpp>

#include <cstring>

#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

void HeadParser::start(Headers& into, const HeadLimits& limits, Stage stage) {
    headers_ = &into;
    headers_->clear();
    limits_ = limits;
    stage_ = stage;
    started_ = false;
    searched_ = field_bytes_ = field_count_ = 0;
    error_ = {};
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
            return partial(rest.size()) ? Progress::more : Progress::failed;
        }
        searched_ = 0;
        const auto size = static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
        consumed += size + 1;
        bool finished = false;
        if (!line(rest.substr(0, size), finished)) return Progress::failed;
        if (finished) return Progress::done;
    }
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
    field_bytes_ += text.size() + 2;
    if (field_bytes_ > limits_.field_bytes)
        return fail(431, "header_fields_too_large", "the header fields are too large");
    if (++field_count_ > limits_.field_count)
        return fail(431, "header_fields_too_large", "there are too many header fields");
    return field_line(text);
}

bool HeadParser::partial(std::size_t bytes) {
    if (stage_ == Stage::start_line) return bytes <= limits_.start_line_bytes + 1 || start_line_too_long();
    return field_bytes_ + bytes <= limits_.field_bytes + 1 ||
           fail(431, "header_fields_too_large", "the header fields are too large");
}

bool HeadParser::field_line(std::string_view text) {
    const auto size = token_prefix(text);
    if (size == 0) {
        if (text.front() == ' ' || text.front() == '\t') return bad("a header field is folded over several lines");
        return bad("a header field has no valid name");
    }
    if (size == text.size() || text[size] != ':') {
        return bad("a header field's name holds a character that is not allowed, or no colon follows it");
    }
    const auto name = text.substr(0, size);
    const auto value = trim(text.substr(size + 1));
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
    for (const auto each : kNeverTrailers) {
        if (same_text(name, each)) return bad("a trailer holds a field that belongs into the head");
    }
    keep(known, name, value);
    return true;
}

} // namespace flotilla::http
