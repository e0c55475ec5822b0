#include "gateway/core/forwarding.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

#include "gateway/core/folded_name.hpp"

namespace flotilla::gateway {
namespace {

enum class Role : unsigned char {
    end_to_end,
    te, // hop-by-hop, but "trailers" matters to what lies behind
    connection,
    hop_by_hop,
    max_forwards,
    gateway,        // set by the gateway, so nobody else's counts
    representation, // of the client's own request or answer
};

// One look by length and then by name: this runs for every field of every request.
Role role_of(std::string_view name) {
    switch (name.size()) {
    case 2:
        if (name == "te") return Role::te;
        break;
    case 4:
        if (name == "host") return Role::gateway;
        break;
    case 5:
        if (name == "range") return Role::representation;
        if (name == "proxy") return Role::gateway; // HTTP_PROXY to CGI programs: where their own calls go
        break;
    case 6:
        if (name == "expect") return Role::hop_by_hop;
        if (name == "accept") return Role::representation;
        break;
    case 7:
        if (name == "trailer" || name == "upgrade") return Role::hop_by_hop;
        break;
    case 8:
        if (name == "if-match" || name == "if-range") return Role::representation;
        break;
    case 9:
        if (name == "forwarded" || name == "x-real-ip") return Role::gateway;
        break;
    case 10:
        if (name == "connection") return Role::connection;
        if (name == "keep-alive") return Role::hop_by_hop;
        if (name == "tracestate") return Role::gateway;
        break;
    case 11:
        if (name == "traceparent") return Role::gateway;
        break;
    case 12:
        if (name == "x-request-id") return Role::gateway;
        if (name == "max-forwards") return Role::max_forwards;
        break;
    case 13:
        if (name == "if-none-match") return Role::representation;
        // Some servers route by these instead of by the path that was routed here.
        if (name == "x-rewrite-url") return Role::gateway;
        break;
    case 14:
        if (name == "content-length") return Role::hop_by_hop;
        if (name == "x-original-url") return Role::gateway;
        break;
    case 15:
        if (name == "accept-encoding") return Role::representation;
        break;
    case 17:
        if (name == "transfer-encoding") return Role::hop_by_hop;
        if (name == "flotilla-attempts") return Role::gateway;
        if (name == "if-modified-since") return Role::representation;
        break;
    case 19:
        if (name == "flotilla-timeout-ms") return Role::gateway;
        if (name == "if-unmodified-since") return Role::representation;
        break;
    case 20:
        if (name == "flotilla-criticality") return Role::gateway;
        break;
    default:
        break;
    }
    if (name.starts_with("proxy-")) return Role::hop_by_hop;
    if (name.starts_with("x-forwarded-")) return Role::gateway;
    if (name.starts_with("content-")) return Role::representation;
    return Role::end_to_end;
}

/// Whether a field could pass for one that was dropped, or replaced, under its own name.
bool imitates(const FoldedName& name, Role role) {
    return !name.exact() && role != Role::end_to_end && role != Role::representation;
}

void copy_request_fields(const http::RequestHead& request, http::Headers& out, bool representation) {
    const auto& from = request.headers;
    const bool has_connection = from.has("connection");
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto field = from[i];
        const FoldedName folded(field.name);
        const auto role = role_of(folded.text());
        if (imitates(folded, role)) continue;
        switch (role) {
        case Role::end_to_end:
            break;
        case Role::representation:
            if (!representation) continue;
            break;
        case Role::max_forwards:
            if (request.method == Method::options) continue; // counted
            break;
        case Role::te:
            if (from.lists("te", "trailers") && !out.has("te")) out.add("te", "trailers");
            continue;
        default:
            continue;
        }
        if (has_connection && from.lists("connection", field.name)) continue;
        out.add(from, i);
    }
}

void add_number(http::Headers& out, std::string_view name, std::int64_t number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.add_valid(name, {digits, end});
}

/// Fields that are always the same: their lines are copied whole.
enum Constant : std::size_t { via_http10, via_http11, proto_http };
void add_constant(http::Headers& out, Constant field) {
    static const auto fields = [] {
        http::Headers made;
        made.add("via", "1.0 " + std::string(kViaName));
        made.add("via", "1.1 " + std::string(kViaName));
        made.add("x-forwarded-proto", "http");
        return made;
    }();
    out.add(fields, field);
}

/// The version is that of the message that came (RFC 9110 §7.6.3).
void add_via(http::Headers& out, int minor_version) { add_constant(out, minor_version == 0 ? via_http10 : via_http11); }

void add_gateway_fields(const Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                        http::RequestHead& head) {
    auto& out = head.headers;
    const auto& peer = exchange.peer();
    const auto& request = exchange.request();
    add_via(out, request.minor_version);
    out.add_valid("x-forwarded-for",
                  peer.is_unix() || peer.host.empty() ? std::string_view("unix") : std::string_view(peer.host));
    add_constant(out, proto_http);
    if (!request.authority.empty()) out.add_valid("x-forwarded-host", request.authority);
    if (head.path() != request.path()) out.add_valid("x-forwarded-path", request.path());
    out.add_valid("x-request-id", facts.id);
    if (!context.trace.state.empty()) out.add("tracestate", context.trace.state);
    if (facts.hops_left) add_number(out, "max-forwards", *facts.hops_left);
}

} // namespace

bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.~:+/=").find(c) != std::string_view::npos;
    });
}

Result<void> check_loop(const http::Headers& headers) {
    if (!headers.has("via")) return {};
    unsigned visits = 0;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto field = headers[i];
        if (field.name.size() != 3 || !equal_ignoring_case(field.name, "via")) continue;
        // "1.1 name (comment)", the protocol and the name being one word each.
        http::for_each_element(field.value, [&](std::string_view element) {
            const auto protocol = std::min(element.find_first_of(" \t"), element.size());
            const auto name = http::trim(element.substr(protocol));
            if (equal_ignoring_case(name.substr(0, name.find_first_of(" \t")), kViaName)) ++visits;
        });
    }
    if (visits < kVisitsMax) return {};
    return Error(Kind::bad_gateway, "loop_detected", "the request goes in a circle: Via says it was here before");
}

Result<std::optional<std::uint32_t>> max_forwards(const http::Headers& headers) {
    std::optional<std::uint32_t> found;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto field = headers[i];
        if (field.name.size() != 12 || !equal_ignoring_case(field.name, "max-forwards")) continue;
        const auto text = field.value;
        const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
        if (found || text.empty() || !digits) return Error(Kind::invalid, "Max-Forwards is not one decimal number");
        std::uint32_t number = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
        found = read.ec == std::errc() ? number : std::numeric_limits<std::uint32_t>::max();
    }
    return found;
}

void fill_upstream_head(const Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                        http::RequestHead& out) {
    const auto& request = exchange.request();
    out.method = request.method;
    out.method_name = request.method_name;
    out.headers.clear();
    copy_request_fields(request, out.headers, true);
    add_gateway_fields(context, exchange, facts, out);
}

void fill_branch_head(const Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                      http::RequestHead& out) {
    out.method_name = name(out.method);
    out.headers.clear();
    copy_request_fields(exchange.request(), out.headers, false);
    out.headers.add("accept", "application/json, application/problem+json");
    add_gateway_fields(context, exchange, facts, out);
}

std::string client_part(const http::RequestHead& request) {
    http::Headers passed;
    copy_request_fields(request, passed, false);
    std::string text = request.authority;
    for (std::size_t i = 0; i < passed.size(); ++i) // fields cannot have line ends
        text.append("\n").append(passed[i].name).append(":").append(passed[i].value);
    return text;
}

void fill_client_head(const http::ResponseHead& upstream, std::string_view request_id, http::ResponseHead& out) {
    out.status = upstream.status;
    out.headers.clear();
    const bool has_connection = upstream.headers.has("connection");
    for (std::size_t i = 0; i < upstream.headers.size(); ++i) {
        const auto field = upstream.headers[i];
        const FoldedName folded(field.name);
        switch (folded.exact() ? role_of(folded.text()) : Role::end_to_end) {
        case Role::te:
        case Role::connection:
        case Role::hop_by_hop:
            continue;
        case Role::gateway:
            if (folded.text() == "x-request-id") continue;
            break;
        default:
            break;
        }
        if (has_connection && upstream.headers.lists("connection", field.name)) continue;
        out.headers.add(upstream.headers, i);
    }
    add_via(out.headers, upstream.minor_version);
    out.headers.add_valid("x-request-id", request_id);
}

void copy_trailers(const http::Headers& from, const http::Headers& head, http::Headers& out) {
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto name = from[i].name;
        const FoldedName folded(name);
        const auto role = role_of(folded.text());
        if (role != Role::end_to_end && role != Role::representation) continue;
        if (!head.lists("connection", name)) out.add(from, i);
    }
}

} // namespace flotilla::gateway
