#include <flotilla/http/http1/known_field.hpp>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

KnownField one_of(std::string_view name, std::string_view candidate, KnownField field) {
    return equal_ignoring_case(name, candidate) ? field : KnownField::other;
}

} // namespace

KnownField known_field(std::string_view name) {
    switch (name.size()) {
    case 2:
        return one_of(name, "te", KnownField::te);
    case 4:
        if ((name.front() | 0x20) == 'h') return one_of(name, "host", KnownField::host);
        return one_of(name, "date", KnownField::date);
    case 6:
        return one_of(name, "expect", KnownField::expect);
    case 7:
        if ((name.front() | 0x20) == 'u') return one_of(name, "upgrade", KnownField::upgrade);
        return one_of(name, "baggage", KnownField::baggage);
    case 10:
        if ((name.front() | 0x20) == 'c') return one_of(name, "connection", KnownField::connection);
        if ((name.front() | 0x20) == 'k') return one_of(name, "keep-alive", KnownField::keep_alive);
        return one_of(name, "tracestate", KnownField::tracestate);
    case 11:
        return one_of(name, "traceparent", KnownField::traceparent);
    case 12:
        return one_of(name, "grpc-timeout", KnownField::grpc_timeout);
    case 14:
        return one_of(name, "content-length", KnownField::content_length);
    case 16:
        return one_of(name, "proxy-connection", KnownField::proxy_connection);
    case 17:
        if ((name.front() | 0x20) == 'f') return one_of(name, "flotilla-attempts", KnownField::flotilla_attempts);
        return one_of(name, "transfer-encoding", KnownField::transfer_encoding);
    case 19:
        return one_of(name, "flotilla-timeout-ms", KnownField::flotilla_timeout);
    case 20:
        return one_of(name, "flotilla-criticality", KnownField::flotilla_criticality);
    default:
        return KnownField::other;
    }
}

} // namespace flotilla::http
