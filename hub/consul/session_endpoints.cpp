#include <array>

#include <flotilla/base/json_value.hpp>

#include "hub/consul/go_duration.hpp"
#include "hub/consul/json_fields.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

/// A lock delay written as a small number means seconds, as in Consul.
constexpr Duration kLockDelaySmall{1000};
constexpr std::size_t kSessionsMax = 10'000;
constexpr Duration kLockDelayMax = std::chrono::minutes(1);

Result<Session> parse_session(const ConsulRequest& request) {
    Session session;
    session.id = request.fresh_id;
    session.node = kNodeName;
    session.checks = {std::string(kNodeCheck)};
    if (request.body.empty()) return session;
    auto body = json::parse_value(request.body);
    if (!body) return std::move(body.error());
    const auto* object = body->if_object();
    if (!object) return Error(Kind::invalid, "expected an object");
    JsonFields fields(*object);
    session.name = fields.text("Name");
    if (const auto node = fields.text("Node"); !node.empty()) session.node = node;
    if (fields.has("LockDelay")) {
        session.lock_delay = fields.duration("LockDelay");
        if (session.lock_delay > Duration::zero() && session.lock_delay < kLockDelaySmall) {
            session.lock_delay = std::chrono::seconds(session.lock_delay.count());
        }
        session.lock_delay = std::min(session.lock_delay, kLockDelayMax);
    }
    for (const auto* member : {"Checks", "NodeChecks"}) {
        if (fields.has(member)) session.checks = fields.texts(member);
    }
    const auto behavior = fields.text("Behavior");
    if (!behavior.empty() && behavior != "release" && behavior != "delete") {
        return Error(Kind::invalid, "Invalid Behavior setting '" + behavior + "'");
    }
    session.behavior = behavior == "delete" ? SessionBehavior::delete_ : SessionBehavior::release;
    session.ttl = fields.duration("TTL");
    if (fields.error()) return *fields.error();
    session.ttl_text = fields.text("TTL");
    return session;
}

ConsulReply create(Stores& stores, const ConsulRequest& request) {
    auto session = parse_session(request);
    if (!session) return reply_text(400, "Request decode failed: " + session.error().message());
    if (session->node != kNodeName) return reply_text(500, "Missing node registration");
    for (const auto& id : session->checks) {
        const auto* check = stores.registry.check(id);
        if (id != kNodeCheck && !check) return reply_text(500, "Missing check '" + id + "' registration");
        if (check && check->status == CheckStatus::critical)
            return reply_text(500, "Check '" + id + "' is in critical state");
    }
    if (stores.sessions.sessions().size() >= kSessionsMax) return reply_full("sessions", kSessionsMax);
    const auto id = session->id;
    if (auto created = stores.sessions.create(std::move(*session), request.now); !created)
        return reply_text(400, created.error().message());
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
    if (request.argument == kNodeName) return list(stores, request);
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
