#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>
#include <flotilla/http/http1/head_parser.hpp>

namespace flotilla::http {

namespace {

/// Requires: is_authority(text).
bool has_port(std::string_view text) {
    const auto colon = text.rfind(':');
    return colon != std::string_view::npos && colon + 1 < text.size() &&
           text.find(']', colon) == std::string_view::npos;
}

} // namespace

void RequestParser::start(RequestHead& into, const HeadLimits& limits) {
    HeadParser::start(into.headers, limits, Stage::start_line, Origin::client);
    head_ = &into;
    into.authority.clear();
    framing_ = {};
    first_.fill(0);
    repeated_ = 0;
    hosts_ = 0;
    absolute_ = expects_continue_ = skipped_line_ = false;
}

std::optional<std::string_view> RequestParser::known(KnownField field) const {
    const auto index = first_[static_cast<std::size_t>(field)];
    if (index == 0) return std::nullopt;
    return head_->headers[index - 1u].value;
}

bool RequestParser::skip_empty_line() {
    // RFC 9112 §2.2: at least one empty line before a request is ignored.
    return !std::exchange(skipped_line_, true);
}

bool RequestParser::start_line_too_long() {
    return fail(414, "uri_too_long", "the request line is too long", limits().start_line_bytes, " bytes");
}

bool RequestParser::start_line(std::string_view line) {
    const auto method_size = token_prefix(line);
    if (method_size == 0 || method_size == line.size() || line[method_size] != ' ')
        return bad("the method is not a token");
    head_->method_name.assign(line.substr(0, method_size));
    head_->method = parse_method(head_->method_name);

    const auto rest = line.substr(method_size + 1);
    const auto space = rest.rfind(' ');
    if (space == std::string_view::npos) return bad("the request line has no HTTP version");
    const auto version = rest.substr(space + 1);
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (version.size() != 8 || !version.starts_with("HTTP/") || !digit(version[5]) || version[6] != '.' ||
        !digit(version[7])) {
        return bad("the HTTP version is malformed");
    }
    if (version[5] != '1') return fail(505, "http_version_not_supported", "only HTTP/1.0 and HTTP/1.1 are spoken here");
    framing_.minor_version = head_->minor_version = version[7] == '0' ? 0 : 1;
    return target(rest.substr(0, space));
}

bool RequestParser::target(std::string_view text) {
    if (head_->method_name == "CONNECT") { // authority form, with a port (RFC 9112 §3.2.3)
        if (!is_authority(text) || !has_port(text)) return bad("CONNECT wants host:port");
        head_->target.assign(text);
        return true;
    }
    if (text == "*") {
        if (head_->method != Method::options) return bad("only OPTIONS may ask for *");
        head_->target.assign(text);
        return true;
    }
    if (is_origin_target(text)) {
        head_->target.assign(text);
        return true;
    }
    const auto scheme_end = text.find("://");
    const auto scheme = text.substr(0, scheme_end);
    if (scheme_end == std::string_view::npos ||
        (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https"))) {
        return bad("the request target is malformed");
    }
    // RFC 9110 §7.4: what was asked for under https must come over a secured connection, and none is here.
    if (equal_ignoring_case(scheme, "https"))
        return fail(421, "misdirected_request", "an https resource is not served over a connection without TLS");
    auto rest = text.substr(scheme_end + 3);
    const auto authority = rest.substr(0, rest.find_first_of("/?"));
    if (!is_authority(authority)) return bad("the request target's authority is malformed");
    rest.remove_prefix(authority.size());
    head_->target.assign(rest.starts_with('/') ? "" : "/").append(rest);
    if (!is_origin_target(head_->target)) return bad("the request target is malformed");
    if (rest.empty() && head_->method == Method::options) head_->target = "*"; // RFC 9112 §3.2.4
    head_->authority.assign(authority);
    absolute_ = true;
    return true;
}

bool RequestParser::field(KnownField known, std::string_view name, std::string_view value) {
    switch (known) {
    case KnownField::host:
        if (++hosts_ > 1) return bad("there are several Host fields");
        if (!is_authority(value)) return bad("the Host field is malformed");
        if (!absolute_) head_->authority.assign(value); // RFC 9112 §3.2.2: the target's authority counts, not Host
        return true;
    case KnownField::content_length:
        return framing_.add_content_length(value) || bad("Content-Length is not one decimal number");
    case KnownField::transfer_encoding:
        return framing_.add_transfer_encoding(value) || bad("Transfer-Encoding does not end with one chunked");
    case KnownField::expect:
        if (framing_.minor_version == 0) return true; // RFC 9110 §10.1.1: ignored in HTTP/1.0
        if (!equal_ignoring_case(value, "100-continue"))
            return fail(417, "expectation_failed", "only Expect: 100-continue is understood");
        expects_continue_ = true;
        return true;
    case KnownField::connection:
        framing_.add_connection(value);
        break;
    default:
        break;
    }
    const auto index = keep(known, name, value);
    auto& first = first_[static_cast<std::size_t>(known)];
    if (first != 0) repeated_ |= 1u << static_cast<unsigned>(known);
    if (first == 0) first = static_cast<std::uint16_t>(index + 1);
    return true;
}

bool RequestParser::complete() {
    if (hosts_ == 0 && framing_.minor_version == 1) return bad("the Host field is missing");
    if (!framing_.has_transfer_encoding()) return true;
    if (framing_.minor_version == 0) return bad("HTTP/1.0 knows no Transfer-Encoding");
    if (framing_.has_length()) return bad("both Content-Length and Transfer-Encoding are given");
    if (framing_.unknown_coding())
        return fail(501, "unknown_transfer_coding", "the only transfer coding understood is chunked");
    return framing_.chunked() || bad("Transfer-Encoding does not end with one chunked");
}

} // namespace flotilla::http
