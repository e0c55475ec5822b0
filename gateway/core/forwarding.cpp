#include "gateway/core/forwarding.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace flotilla::gateway {
namespace {

bool same(std::string_view a, std::string_view lower_case) {
    if (a.size() != lower_case.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const char c = a[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower_case[i]) return false;
    }
    return true;
}
bool starts(std::string_view text, std::string_view lower_case) {
    return text.size() >= lower_case.size() && same(text.substr(0, lower_case.size()), lower_case);
}

enum class Role : unsigned char {
    end_to_end,
    te, // hop-by-hop, but "trailers" matters to what lies behind
    connection,
    hop_by_hop,
    gateway,        // set by the gateway, so nobody else's counts
    representation, // of the client's own request or answer
};

// One look by length and then by name: this runs for every field of every request.
Role role_of(std::string_view name) {
    switch (name.size()) {
    case 2:
        if (same(name, "te")) return Role::te;
        break;
    case 4:
        if (same(name, "host")) return Role::gateway;
        break;
    case 5:
        if (same(name, "range")) return Role::representation;
        break;
    case 6:
        if (same(name, "expect")) return Role::hop_by_hop;
        if (same(name, "accept")) return Role::representation;
        break;
    case 7:
        if (same(name, "trailer") || same(name, "upgrade")) return Role::hop_by_hop;
        break;
    case 8:
        if (same(name, "if-match") || same(name, "if-range")) return Role::representation;
        break;
    case 9:
        if (same(name, "forwarded") || same(name, "x-real-ip")) return Role::gateway;
        break;
    case 10:
        if (same(name, "connection")) return Role::connection;
        if (same(name, "keep-alive")) return Role::hop_by_hop;
        if (same(name, "tracestate")) return Role::gateway;
        break;
    case 11:
        if (same(name, "traceparent")) return Role::gateway;
        break;
    case 12:
        if (same(name, "x-request-id")) return Role::gateway;
        break;
    case 13:
        if (same(name, "if-none-match")) return Role::representation;
        break;
    case 14:
        if (same(name, "content-length")) return Role::hop_by_hop;
        break;
    case 15:
        if (same(name, "accept-encoding")) return Role::representation;
        break;
    case 17:
        if (same(name, "transfer-encoding")) return Role::hop_by_hop;
        if (same(name, "if-modified-since")) return Role::representation;
        break;
    case 19:
        if (same(name, "flotilla-timeout-ms")) return Role::gateway;
        if (same(name, "if-unmodified-since")) return Role::representation;
        break;
    default:
        break;
    }
    if (starts(name, "proxy-")) return Role::hop_by_hop;
    if (starts(name, "x-forwarded-")) return Role::gateway;
    if (starts(name, "content-")) return Role::representation;
    return Role::end_to_end;
}

/// Many upstreams (CGI, WSGI) read '_' and '-' in names as one, so that a field could pass for one of the gateway's, or
/// for framing, that was dropped under its own name.
bool imitates(std::string_view name) {
    if (name.find('_') == std::string_view::npos) return false;
    std::array<char, 32> buffer; // longer than each name above; of a prefix the begin is enough
    const auto size = std::min(name.size(), buffer.size());
    std::ranges::replace_copy(name.substr(0, size), buffer.begin(), '_', '-');
    const auto role = role_of({buffer.data(), size});
    return role != Role::end_to_end && role != Role::representation;
}

void copy_request_fields(const http::Headers& from, http::Headers& out, bool representation) {
    const bool has_connection = from.has("connection");
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto field = from[i];
        switch (role_of(field.name)) {
        case Role::end_to_end:
            if (imitates(field.name)) continue;
            break;
        case Role::representation:
            if (!representation) continue;
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

void add_gateway_fields(Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                        http::Headers& out) {
    const auto& peer = exchange.peer();
    out.add_valid("x-forwarded-for",
                  peer.is_unix() || peer.host.empty() ? std::string_view("unix") : std::string_view(peer.host));
    out.add_valid("x-forwarded-proto", "http");
    if (!exchange.request().authority.empty()) out.add_valid("x-forwarded-host", exchange.request().authority);
    out.add_valid("x-request-id", facts.id);
    const auto span = context.trace.child(context.world());
    out.add_valid("traceparent", span.traceparent());
    if (!span.state.empty()) out.add("tracestate", span.state);
    if (const auto remaining = context.remaining(); remaining != Duration::max()) {
        char digits[24];
        const auto ms =
            std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(remaining).count());
        const auto end = std::to_chars(digits, digits + sizeof digits, ms).ptr;
        out.add_valid("flotilla-timeout-ms", {digits, end});
    }
}

} // namespace

bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.~:+/=").find(c) != std::string_view::npos;
    });
}

void fill_upstream_head(Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                        http::RequestHead& out) {
    const auto& request = exchange.request();
    out.method = request.method;
    out.method_name = request.method_name;
    out.headers.clear();
    copy_request_fields(request.headers, out.headers, true);
    add_gateway_fields(context, exchange, facts, out.headers);
}

void fill_branch_head(Context& context, const http::Exchange& exchange, const RequestFacts& facts,
                      http::RequestHead& out) {
    out.method = Method::get;
    out.method_name = "GET";
    out.headers.clear();
    copy_request_fields(exchange.request().headers, out.headers, false);
    out.headers.add("accept", "application/json, application/problem+json");
    add_gateway_fields(context, exchange, facts, out.headers);
}

void fill_client_head(const http::ResponseHead& upstream, std::string_view request_id, http::ResponseHead& out) {
    out.status = upstream.status;
    out.headers.clear();
    const bool has_connection = upstream.headers.has("connection");
    for (std::size_t i = 0; i < upstream.headers.size(); ++i) {
        const auto field = upstream.headers[i];
        switch (role_of(field.name)) {
        case Role::te:
        case Role::connection:
        case Role::hop_by_hop:
            continue;
        case Role::gateway:
            if (same(field.name, "x-request-id")) continue;
            break;
        default:
            break;
        }
        if (has_connection && upstream.headers.lists("connection", field.name)) continue;
        out.headers.add(upstream.headers, i);
    }
    out.headers.add_valid("x-request-id", request_id);
}

void copy_trailers(const http::Headers& from, http::Headers& out) {
    for (std::size_t i = 0; i < from.size(); ++i) {
        const auto role = role_of(from[i].name);
        if ((role == Role::end_to_end && !imitates(from[i].name)) || role == Role::representation) out.add(from, i);
    }
}

} // namespace flotilla::gateway
