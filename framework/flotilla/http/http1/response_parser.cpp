#include <flotilla/http/http1/characters.hpp>
#include <flotilla/http/http1/head_parser.hpp>

namespace flotilla::http {

void ResponseParser::start(ResponseHead& into, const HeadLimits& limits) {
    HeadParser::start(into.headers, limits, Stage::start_line, Origin::server);
    head_ = &into;
    framing_ = {};
}

bool ResponseParser::start_line_too_long() {
    return fail(431, "header_fields_too_large", "the status line is too long", limits().start_line_bytes, " bytes");
}

bool ResponseParser::start_line(std::string_view line) {
    // HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4). Who has no phrase often leaves its space out.
    constexpr std::size_t kStatusEnd = 12;
    const auto digit = [&line](std::size_t at) { return line[at] >= '0' && line[at] <= '9'; };
    if (!line.starts_with("HTTP/")) return bad("the answer does not begin with an HTTP/1.1 status line");
    if (line.size() < kStatusEnd || !digit(5) || line[6] != '.' || !digit(7) || line[8] != ' ')
        return bad("the status line is malformed");
    if (line[5] != '1') return bad("the HTTP version is not 1.0 or 1.1");
    if (!digit(9) || !digit(10) || !digit(11)) return bad("the status is not a number of three digits");
    const auto rest = line.substr(kStatusEnd);
    if (!rest.empty() && rest.front() != ' ') return bad("no space follows the status");
    head_->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    if (head_->status < 100 || head_->status > 599) return bad("the status is not 100..599");
    if (!is_field_value(rest)) return bad("the reason phrase holds a control character");
    framing_.minor_version = head_->minor_version = line[7] == '0' ? 0 : 1;
    return true;
}

bool ResponseParser::field(KnownField known, std::string_view name, std::string_view value) {
    switch (known) {
    case KnownField::content_length:
        return framing_.add_content_length(value) || bad("Content-Length is not one decimal number");
    case KnownField::transfer_encoding:
        return framing_.add_transfer_encoding(value) || bad("Transfer-Encoding does not end with one chunked");
    case KnownField::connection:
        framing_.add_connection(value);
        break;
    default:
        break;
    }
    keep(known, name, value);
    return true;
}

bool ResponseParser::complete() {
    if (!framing_.has_transfer_encoding()) return true;
    if (framing_.minor_version == 0) return bad("HTTP/1.0 knows no Transfer-Encoding");
    if (framing_.has_length()) return bad("both Content-Length and Transfer-Encoding are given");
    return framing_.chunked() || bad("the only transfer coding understood is chunked");
}

} // namespace flotilla::http
