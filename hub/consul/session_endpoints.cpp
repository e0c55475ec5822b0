#include <array>

#include <flotilla/base/ascii.hpp>

#include "hub/consul/go_duration.hpp"
#include "hub/consul/json_fields.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

/// A lock delay written as a small number means seconds, as in Consul.
constexpr Duration kLockDelaySmall{1000};
constexpr std::size_t kSessionsMax = 10'000;

Duration parse_lock_delay(JsonFields& fields) {
    const auto delay = fields.duration("LockDelay");
    if (delay < Duration::zero()) fields.fail("LockDelay", "no negative duration");
    if (fields.error()) return {};
    return delay < kLockDelaySmall ? Duration(std::chrono::seconds(1)) * delay.count() : delay;
}

/// `[{"ID": "service:web-1"}, ...]`
std::vector<std::string> parse_service_checks(JsonFields& fields) {
    std::vector<std::string> ids;
    const auto* list = fields.array("ServiceChecks");
    if (!list) return ids;
    for (const auto& each : *list) {
        const auto* object = each.if_object();
        if (!object) {
            fields.fail("ServiceChecks", "a list of {ID}");
            return {};
        }
        fields.read_part(*object, [&ids](JsonFields& check) {
            ids.push_back(check.text("ID"));
            if (const auto name = check.text("Namespace"); !name.empty() && name != "default")
                check.fail("Namespace", "\"default\": namespaces are a Consul Enterprise feature");
        });
    }
    return ids;
}

/// The serf check is the default, in whichever of the two lists a client knows.
void parse_checks(JsonFields& fields, Session& session) {
    const std::vector<std::string> node_alone{std::string(kNodeCheck)};
    session.node_checks = fields.has("NodeChecks") ? fields.texts("NodeChecks") : node_alone;
    session.checks = fields.has("Checks") ? fields.texts("Checks") : node_alone;
    session.service_checks = parse_service_checks(fields);
    if (session.checks.empty())
        session.node_checks.clear();
    else if (session.checks == node_alone || session.node_checks.empty())
        session.checks.clear();
}

Result<Session> parse_session(const ConsulRequest& request) {
    Session session;
    session.id = request.fresh_id;
    session.node = kNodeName;
    session.node_checks = {std::string(kNodeCheck)};
    if (request.body.empty()) return session;
    const auto body = parse_body(request.body);
    if (!body) return body.error();
    const auto object = as_object(*body);
    if (!object) return object.error();
    JsonFields fields(**object);
    session.name = fields.text("Name");
    if (const auto node = fields.text("Node"); !node.empty()) session.node = node;
    if (fields.has("LockDelay")) session.lock_delay = parse_lock_delay(fields);
    parse_checks(fields, session);
    const auto behavior = fields.text("Behavior");
    session.ttl_text = fields.text("TTL");
    fields.finish(); // an ID too: the registry gives it
    if (fields.error()) return *fields.error();
    // 500 from here on, as in Consul.
    if (!behavior.empty() && behavior != "release" && behavior != "delete")
        return Error(Kind::internal, "Invalid Behavior setting '" + behavior + "'");
    session.behavior = behavior == "delete" ? SessionBehavior::delete_ : SessionBehavior::release;
    const auto ttl = session.ttl_text.empty() ? Duration::zero() : parse_go_duration(session.ttl_text);
    if (!ttl) {
        return Error(Kind::internal, "Session TTL '" + session.ttl_text + "' invalid: time: invalid duration \"" +
                                         session.ttl_text + "\"");
    }
    session.ttl = *ttl;
    return session;
}

ConsulReply apply_failed(std::string_view why) { return reply_text(500, "apply failed: " + std::string(why)); }

/// Why a session cannot hang on these checks; nullopt: it can.
std::optional<ConsulReply> refuse_checks(const RegistryState& registry, const std::vector<std::string>& checks) {
    for (const auto& id : checks) {
        if (id == kNodeCheck) continue;
        const auto* check = registry.check(id);
        if (!check) return apply_failed("Missing check '" + id + "' registration");
        if (check->status == CheckStatus::critical) return apply_failed("Check '" + id + "' is in critical state");
    }
    return std::nullopt;
}

ConsulReply create(Stores& stores, const ConsulRequest& request) {
    auto session = parse_session(request);
    if (!session) return reply_text(http_status(session.error().kind()), session.error().message());
    if (!equal_ignoring_case(session->node, kNodeName)) return apply_failed("Missing node registration");
    for (const auto* checks : {&session->checks, &session->node_checks, &session->service_checks}) {
        if (auto refused = refuse_checks(stores.registry, *checks)) return std::move(*refused);
    }
    if (stores.sessions.sessions().size() >= kSessionsMax) return reply_full("sessions", kSessionsMax);
    const auto id = session->id;
    if (auto created = stores.sessions.create(std::move(*session), request.now); !created)
        return reply_text(500, created.error().message());
    return reply_json(bj::object{{"ID", id}});
}

ConsulReply destroy(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing session");
    stores.sessions.destroy(request.argument, request.now);
    return reply_json(true);
}

ConsulReply renew(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing session");
    const auto* session = stores.sessions.renew(request.argument, request.now);
    if (!session) return reply_text(404, "Session id '" + request.argument + "' not found");
    return reply_json(bj::array{session_json(*session)});
}

ConsulReply info(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing session");
    const auto index = stores.sessions.last_index();
    if (request.waits_past(index)) return reply_pending();
    bj::array found;
    if (const auto* session = stores.sessions.find(request.argument)) found.push_back(session_json(*session));
    return reply_json(std::move(found), index);
}

ConsulReply list(Stores& stores, const ConsulRequest& request) {
    const auto index = stores.sessions.last_index();
    if (request.waits_past(index)) return reply_pending();
    bj::array sessions;
    for (const auto& [id, session] : stores.sessions.sessions())
        sessions.push_back(session_json(session));
    return reply_json(std::move(sessions), index);
}

ConsulReply of_node(Stores& stores, const ConsulRequest& request) {
    if (request.argument.empty()) return reply_text(400, "Missing node name");
    if (equal_ignoring_case(request.argument, kNodeName)) return list(stores, request);
    const auto index = stores.sessions.last_index();
    if (request.waits_past(index)) return reply_pending();
    return reply_json(bj::array(), index);
}

} // namespace

std::span<const Route> session_routes() {
    static const std::array<Route, 6> routes{{
        {"/v1/session/create", {Method::put}, &create},
        {"/v1/session/destroy/", {Method::put}, &destroy},
        {"/v1/session/renew/", {Method::put}, &renew},
        {"/v1/session/info/", {Method::get}, &info},
        {"/v1/session/list", {Method::get}, &list},
        {"/v1/session/node/", {Method::get}, &of_node},
    }};
    return routes;
}

} // namespace flotilla::hub::consul
