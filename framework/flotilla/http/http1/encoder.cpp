#include <flotilla/http/http1/encoder.hpp>

#include <charconv>

#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

void append_number(std::string& out, std::uint64_t number, int base) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    out.append(digits, end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

/// Whether a field of the caller's is sent: what manages the connection or frames the message is the codec's to say.
bool is_callers(KnownField field, bool upgrading) {
    switch (field) {
    case KnownField::host:
    case KnownField::content_length:
    case KnownField::transfer_encoding:
    case KnownField::connection:
    case KnownField::keep_alive:
    case KnownField::proxy_connection:
    case KnownField::expect:
        return false;
    case KnownField::upgrade:
        return upgrading;
    default:
        return true;
    }
}

constexpr std::uint32_t bit(KnownField field) { return 1u << static_cast<unsigned>(field); }

/// The caller's fields, lines that stand side by side in one copy; returns the bits of those it sent.
std::uint32_t append_fields(std::string& out, const Headers& headers, bool upgrading) {
    std::uint32_t sent = 0;
    std::string_view run;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto known = headers.known(i);
        if (!is_callers(known, upgrading)) continue;
        sent |= bit(known);
        const auto line = headers.line(i);
        if (run.data() + run.size() == line.data()) {
            run = {run.data(), run.size() + line.size()};
        } else {
            out.append(run);
            run = line;
        }
    }
    out.append(run);
    return sent;
}

std::string_view option_of(HeadFraming::Connection connection) {
    switch (connection) {
    case HeadFraming::Connection::unsaid:
        return {};
    case HeadFraming::Connection::close:
        return "close";
    case HeadFraming::Connection::keep_alive:
        return "keep-alive";
    case HeadFraming::Connection::upgrade:
        return "Upgrade";
    }
    return {};
}

void append_framing(std::string& out, const HeadFraming& framing, bool with_te = false) {
    switch (framing.length) {
    case HeadFraming::Length::absent:
        break;
    case HeadFraming::Length::bytes:
        out.append("Content-Length: ");
        append_number(out, framing.bytes, 10);
        out.append("\r\n");
        break;
    case HeadFraming::Length::chunked:
        out.append("Transfer-Encoding: chunked\r\n");
        break;
    }
    const auto option = option_of(framing.connection);
    // TE is for the next recipient alone, which has to be told (RFC 9110 §10.1.4).
    if (!option.empty() || with_te) {
        out.append("Connection: ").append(option);
        if (with_te) out.append(option.empty() ? "TE" : ", TE");
        out.append("\r\n");
    }
    out.append("\r\n");
}

/// What a start line may hold: no space, no control character.
bool is_visible(std::string_view text) {
    return !text.empty() && is_field_value(text) && text.find_first_of(" \t") == std::string_view::npos;
}

} // namespace

void encode_response_head(std::string& out, const ResponseHead& head, const HeadFraming& framing,
                          std::string_view date) {
    if (head.status == 200) {
        out.append("HTTP/1.1 200 OK\r\n");
    } else {
        out.append("HTTP/1.1 ");
        append_number(out, static_cast<std::uint64_t>(head.status), 10);
        out.append(" ").append(reason_phrase(head.status)).append("\r\n");
    }
    const auto sent = append_fields(out, head.headers, framing.connection == HeadFraming::Connection::upgrade);
    if ((sent & bit(KnownField::date)) == 0 && head.status >= 200) append_field(out, "Date", date);
    append_framing(out, framing);
}

bool encode_request_head(std::string& out, const RequestHead& head, std::string_view authority,
                         const HeadFraming& framing) {
    if (!is_token(head.method_name) || !is_visible(head.target) || !is_visible(authority)) return false;
    out.append(head.method_name).append(" ").append(head.target).append(" HTTP/1.1\r\n");
    append_field(out, "Host", authority);
    const auto sent = append_fields(out, head.headers, framing.connection == HeadFraming::Connection::upgrade);
    append_framing(out, framing, (sent & bit(KnownField::te)) != 0);
    return true;
}

void encode_chunk_line(std::string& out, std::uint64_t size) {
    append_number(out, size, 16);
    out.append("\r\n");
}

void encode_last_chunk(std::string& out, const Headers& trailers) {
    out.append("0\r\n");
    append_fields(out, trailers, false);
    out.append("\r\n");
}

} // namespace flotilla::http
