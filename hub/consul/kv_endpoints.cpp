#include <array>
#include <charconv>

#include "hub/consul/limits.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

ConsulReply missing(std::uint64_t index) {
    auto reply = reply_text(404, "");
    reply.index = index;
    return reply;
}

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

/// A number parameter; absent: `otherwise`; nullopt: not a number.
std::optional<std::uint64_t> number(const ConsulRequest& request, std::string_view name, std::uint64_t otherwise) {
    if (!request.has(name)) return otherwise;
    const auto text = request.parameter(name);
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

int count(const ConsulRequest& request, std::initializer_list<std::string_view> names) {
    int found = 0;
    for (const auto name : names)
        found += request.has(name) ? 1 : 0;
    return found;
}

ConsulReply put(Stores& stores, const ConsulRequest& request) {
    const auto& key = request.argument;
    if (key.empty()) return reply_text(400, "Missing key name");
    if (count(request, {"cas", "acquire", "release"}) > 1)
        return reply_text(400, "Conflicting flags: cas, acquire, release");
    if (request.body.size() > kKvValueBytesMax) {
        return reply_text(413, "Request body(" + std::to_string(request.body.size()) +
                                   " bytes) too large, max size: " + std::to_string(kKvValueBytesMax) + " bytes.");
    }
    const auto* existing = stores.kv.find(key);
    if (auto full = reply_if_full(stores, {.keys = existing ? 0u : 1u, .bytes = request.body.size()}))
        return std::move(*full);
    const auto flags = number(request, "flags", existing && request.has("release") ? existing->flags : 0);
    const auto expected = number(request, "cas", 0);
    if (!flags) return reply_text(400, "Invalid flags");
    if (!expected) return reply_text(400, "Invalid cas index");
    if (request.has("cas")) return reply_json(stores.kv.cas(key, request.body, *flags, *expected));
    if (request.has("acquire")) {
        const auto session = request.parameter("acquire");
        if (!stores.sessions.find(session)) return reply_text(500, "invalid session \"" + std::string(session) + "\"");
        return reply_json(stores.kv.acquire(key, request.body, *flags, session, request.now));
    }
    if (request.has("release"))
        return reply_json(stores.kv.release(key, request.body, *flags, request.parameter("release")));
    stores.kv.set(key, request.body, *flags);
    return reply_json(true);
}

ConsulReply remove(Stores& stores, const ConsulRequest& request) {
    const auto& key = request.argument;
    if (count(request, {"recurse", "cas"}) > 1) return reply_text(400, "Conflicting flags: recurse, cas");
    if (request.has("recurse")) {
        stores.kv.remove_tree(key);
        return reply_json(true);
    }
    if (key.empty()) return reply_text(400, "Missing key name");
    const auto expected = number(request, "cas", 0);
    if (!expected) return reply_text(400, "Invalid cas index");
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
