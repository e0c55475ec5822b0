#include <flotilla/discovery/etcd/etcd_wire.hpp>

#include <algorithm>

#include <flotilla/base/base64.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/discovery/instance_json.hpp>
#include <flotilla/discovery/json_members.hpp>
#include <flotilla/discovery/registry_errors.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

constexpr std::string_view kLeases = "leases"; ///< what bad_answer() calls what is no service

/// The first key behind all that begin with the prefix. Requires: its last character is below 0xff.
std::string end_of(std::string_view prefix) {
    std::string end(prefix);
    ++end.back();
    return end;
}

bj::object keys_below(std::string_view prefix) {
    return {{"key", base64(prefix)}, {"range_end", base64(end_of(prefix))}};
}

/// The message; a stream's messages are in "result". What has failed is in "error", as a text or as an object.
Result<bj::object> parse_message(std::string_view about, std::string_view body, bool stream) {
    auto parsed = json::parse_value(body);
    auto* root = parsed ? parsed->if_object() : nullptr;
    if (!root) return bad_answer(about, "is not a JSON object");
    if (const auto* error = root->if_contains("error")) {
        const auto text = error->is_object() ? text_at(error->if_object(), "message") : text_at(root, "error");
        return refused_by_registry("the registry says: " + text);
    }
    if (!stream) return std::move(*root);
    auto* result = root->if_contains("result");
    if (!result || !result->is_object()) return bad_answer(about, "has neither result nor error");
    return std::move(result->get_object());
}

Result<void> apply_pair(EtcdState& state, std::string_view service, const bj::object* pair, bool deleted) {
    const auto key = parse_base64(text_at(pair, "key"));
    if (!key || key->empty()) return bad_answer(service, "has a pair without a key");
    if (deleted) {
        state.instances.erase(*key);
        return {};
    }
    const auto value = parse_base64(text_at(pair, "value"));
    const auto parsed = value ? json::parse_value(*value) : Result<bj::value>(bj::value());
    auto instance = parsed ? read_instance(std::string(service), *parsed) : std::nullopt;
    if (!instance) return bad_answer(service, "has no instance at the key " + *key);
    state.instances[*key] = std::move(*instance);
    return {};
}

} // namespace

std::string etcd_put(std::string_view key, const Instance& instance, std::int64_t lease) {
    const bj::object body{{"key", base64(key)},
                          {"value", base64(bj::serialize(instance_json(instance)))},
                          {"lease", std::to_string(lease)}};
    return bj::serialize(body);
}

std::string etcd_range(std::string_view prefix) { return bj::serialize(keys_below(prefix)); }

std::string etcd_watch(std::string_view prefix, std::int64_t from) {
    auto create = keys_below(prefix);
    create["start_revision"] = std::to_string(from);
    return bj::serialize(bj::object{{"create_request", std::move(create)}});
}

std::string etcd_lease(std::int64_t id) { return bj::serialize(bj::object{{"ID", std::to_string(id)}}); }

std::string etcd_grant(Duration ttl) {
    const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(ttl).count());
    return bj::serialize(bj::object{{"TTL", std::to_string(seconds)}});
}

Result<std::int64_t> parse_etcd_grant(std::string_view body) {
    const auto message = parse_message(kLeases, body, false);
    if (!message) return message.error();
    const auto id = integer_at(&*message, "ID");
    if (!id) return bad_answer(kLeases, "has no ID");
    return *id;
}

Result<bool> parse_etcd_keepalive(std::string_view body) {
    const auto message = parse_message(kLeases, body, true);
    if (!message) return message.error();
    return integer_at(&*message, "TTL").value_or(0) > 0; // a lease that is gone has none
}

Result<EtcdState> parse_etcd_range(std::string_view service, std::string_view body) {
    const auto message = parse_message(service, body, false);
    if (!message) return message.error();
    const auto revision = integer_at(object_at(&*message, "header"), "revision");
    if (!revision) return bad_answer(service, "has no revision");
    EtcdState state{.instances = {}, .revision = *revision};
    const auto* pairs = array_at(&*message, "kvs"); // none: there are no keys
    for (std::size_t i = 0; pairs && i < pairs->size(); ++i) {
        if (auto done = apply_pair(state, service, (*pairs)[i].if_object(), false); !done) return done.error();
    }
    return state;
}

Result<EtcdNews> apply_etcd_watch(EtcdState& state, std::string_view service, std::string_view line) {
    const auto message = parse_message(service, line, true);
    if (!message) return message.error();
    if (bool_at(&*message, "canceled").value_or(false)) {
        if (integer_at(&*message, "compact_revision").value_or(0) > 0) return EtcdNews::lost;
        return refused_by_registry("the registry ended the watch: " + text_at(&*message, "cancel_reason"));
    }
    const auto revision = integer_at(object_at(&*message, "header"), "revision").value_or(0);
    if (revision < state.revision) return EtcdNews::lost; // it began anew, with an empty past
    const auto* events = array_at(&*message, "events");   // none: the watch has been created
    for (std::size_t i = 0; events && i < events->size(); ++i) {
        const auto* event = (*events)[i].if_object();
        const bool deleted = text_at(event, "type") == "DELETE"; // PUT is the default and left out
        const auto* pair = object_at(event, "kv");
        if (auto done = apply_pair(state, service, pair, deleted); !done) return done.error();
        // Not the header's: a watch that catches up is told in parts.
        state.revision = std::max(state.revision, integer_at(pair, "mod_revision").value_or(0));
    }
    return events && !events->empty() ? EtcdNews::changed : EtcdNews::none;
}

} // namespace flotilla
