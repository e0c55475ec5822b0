#include <algorithm>
#include <array>
#include <charconv>

#include "hub/consul/limits.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

ConsulReply missing(std::uint64_t index) { return {.status = 404, .content_type = "", .index = index}; }

ConsulReply get_keys(const Stores& stores, const ConsulRequest& request) {
    const auto& prefix = request.argument;
    const auto index = stores.kv.index_of_prefix(prefix);
    if (request.waits_past(index)) return reply_pending();
    // Consul reads its own old misspelling too.
    const auto separator = request.has("separator") ? request.parameter("separator") : request.parameter("seperator");
    bj::array keys;
    for (const auto& key : stores.kv.keys(prefix, separator))
        keys.emplace_back(key);
    if (keys.empty() && !prefix.empty()) return missing(index);
    return reply_json(std::move(keys), index);
}

ConsulReply get_tree(const Stores& stores, const ConsulRequest& request) {
    const auto index = stores.kv.index_of_prefix(request.argument);
    if (request.waits_past(index)) return reply_pending();
    bj::array entries;
    for (const auto* entry : stores.kv.list(request.argument))
        entries.push_back(kv_json(*entry));
    if (entries.empty()) return missing(index);
    return reply_json(std::move(entries), index);
}

ConsulReply get(Stores& stores, const ConsulRequest& request) {
    if (request.has("keys")) return get_keys(stores, request);
    if (request.has("recurse")) return get_tree(stores, request);
    if (request.argument.empty()) return reply_text(400, "Missing key name");
    const auto index = stores.kv.index_of_key(request.argument);
    if (request.waits_past(index)) return reply_pending();
    const auto* entry = stores.kv.find(request.argument);
    if (!entry) return missing(index);
    if (request.has("raw")) return {.body = entry->value, .content_type = "text/plain", .index = index};
    return reply_json(bj::array{kv_json(*entry)}, index);
}

/// A number parameter as Go reads it; absent: zero.
Result<std::uint64_t> number(const ConsulRequest& request, std::string_view name) {
    if (!request.has(name)) return std::uint64_t{0};
    const auto text = request.parameter(name);
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed == std::errc() && end == text.data() + text.size()) return value;
    const bool too_large = failed == std::errc::result_out_of_range && end == text.data() + text.size();
    return Error(Kind::invalid, "strconv.ParseUint: parsing \"" + std::string(text) +
                                    (too_large ? "\": value out of range" : "\": invalid syntax"));
}

/// Refuses parameters that exclude each other, repeating the whole query in order of names.
std::optional<ConsulReply> refuse_conflict(const ConsulRequest& request,
                                           std::initializer_list<std::string_view> names) {
    const auto given = std::ranges::count_if(names, [&](std::string_view each) { return request.has(each); });
    if (given < 2) return std::nullopt;
    const std::multimap<std::string, std::string> sorted(request.parameters.begin(), request.parameters.end());
    std::string query;
    for (const auto& [name, value] : sorted)
        query += (query.empty() ? "" : "&") + http::percent_encode(name) + "=" + http::percent_encode(value);
    return reply_text(400, "Conflicting flags: " + query + "\n");
}

ConsulReply apply_failed(std::string_view why) { return reply_text(500, "raft apply failed: " + std::string(why)); }

ConsulReply put(Stores& stores, const ConsulRequest& request) {
    const auto& key = request.argument;
    if (key.empty()) return reply_text(400, "Missing key name");
    if (auto refused = refuse_conflict(request, {"cas", "acquire", "release"})) return std::move(*refused);
    if (request.body.size() > kKvValueBytesMax) {
        return reply_text(413, "Request body(" + std::to_string(request.body.size()) +
                                   " bytes) too large, max size: " + std::to_string(kKvValueBytesMax) + " bytes.");
    }
    const auto* existing = stores.kv.find(key);
    if (auto full = reply_if_full(stores, {.keys = existing ? 0u : 1u, .bytes = request.body.size()}))
        return std::move(*full);
    const auto flags = number(request, "flags");
    const auto expected = number(request, "cas");
    // 500 for what is no number too: Consul's answer.
    if (!flags) return reply_text(500, flags.error().message());
    if (!expected) return reply_text(500, expected.error().message());
    if (request.has("cas")) return reply_json(stores.kv.cas(key, request.body, *flags, *expected));
    if (request.has("acquire")) {
        const auto session = request.parameter("acquire");
        if (stores.kv.lock_rests(key, request.now)) return reply_json(false);
        if (session.empty()) return apply_failed("missing session");
        if (!stores.sessions.find(session)) return apply_failed("invalid session \"" + std::string(session) + "\"");
        return reply_json(stores.kv.acquire(key, request.body, *flags, session, request.now));
    }
    if (request.has("release") && request.parameter("release").empty()) return apply_failed("missing session");
    if (request.has("release"))
        return reply_json(stores.kv.release(key, request.body, *flags, request.parameter("release")));
    stores.kv.set(key, request.body, *flags);
    return reply_json(true);
}

ConsulReply remove(Stores& stores, const ConsulRequest& request) {
    const auto& key = request.argument;
    if (auto refused = refuse_conflict(request, {"recurse", "cas"})) return std::move(*refused);
    if (request.has("recurse")) {
        stores.kv.remove_tree(key);
        return reply_json(true);
    }
    if (key.empty()) return reply_text(400, "Missing key name");
    const auto expected = number(request, "cas");
    if (!expected) return reply_text(500, expected.error().message());
    if (request.has("cas")) return reply_json(stores.kv.remove_cas(key, *expected));
    stores.kv.remove(key);
    return reply_json(true);
}

} // namespace

std::span<const Route> kv_routes() {
    static const std::array<Route, 3> routes{{
        {"/v1/kv/", {Method::get}, &get, {"keys", "separator", "seperator", "recurse", "raw"}},
        {"/v1/kv/", {Method::put}, &put, {"flags", "cas", "acquire", "release"}},
        {"/v1/kv/", {Method::delete_}, &remove, {"recurse", "cas"}},
    }};
    return routes;
}

} // namespace flotilla::hub::consul
