#include <array>

#include "hub/consul/check_output.hpp"
#include "hub/consul/definitions.hpp"
#include "hub/consul/filter_fields.hpp"
#include "hub/consul/go_text.hpp"
#include "hub/consul/json_fields.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

constexpr std::size_t kServicesMax = 10'000;
constexpr std::size_t kChecksMax = 20'000;
constexpr std::string_view kNodeMaintenance = "_node_maintenance";
constexpr std::string_view kServiceMaintenance = "_service_maintenance:";

ConsulReply refused(const Error& error) { return reply_text(http_status(error.kind()), error.message()); }

std::string unknown_service(std::string_view id) {
    return "Unknown service ID \"" + std::string(id) +
           "\". Ensure that the service ID is passed, not the service name.";
}
std::string unknown_check(std::string_view id) {
    return "Unknown check ID \"" + std::string(id) + "\". Ensure that the check ID is passed, not the check name.";
}

// Services --------------------------------------------------------------------------------------------------------

ConsulReply register_service(Stores& stores, const ConsulRequest& request) {
    auto body = parse_body(request.body);
    if (!body) return refused(body.error());
    auto registration = parse_service_registration(*body);
    if (!registration) return refused(registration.error());
    const auto& registry = stores.registry;
    if (!registry.service(registration->service.id) && registry.services().size() >= kServicesMax)
        return reply_full("services", kServicesMax);
    if (registry.checks().size() + registration->checks.size() > kChecksMax) return reply_full("checks", kChecksMax);
    const auto replace = read_flag(request, "replace-existing-checks");
    if (!replace) return reply_text(400, "Invalid value for replace-existing-checks");
    stores.registry.register_service(std::move(registration->service), std::move(registration->checks), *replace,
                                     request.now);
    return reply_nothing();
}

ConsulReply deregister_service(Stores& stores, const ConsulRequest& request) {
    if (!stores.registry.deregister_service(request.argument))
        return reply_text(404, unknown_service(request.argument));
    return reply_nothing();
}

ConsulReply services(Stores& stores, const ConsulRequest& request) {
    bj::object result;
    for (const auto& [id, service] : stores.registry.services()) {
        bj::value row = agent_service_json(service);
        if (request.keeps(row)) result[id] = std::move(row);
    }
    return reply_json(std::move(result));
}

ConsulReply service(Stores& stores, const ConsulRequest& request) {
    const auto* found = stores.registry.service(request.argument);
    if (!found) return reply_text(404, "unknown service ID: " + request.argument);
    auto detail = agent_service_detail_json(*found);
    const std::string hash(view(detail["ContentHash"].get_string()));
    if (!request.hash.empty() && request.hash == hash) return reply_pending();
    auto reply = reply_json(std::move(detail));
    reply.hash = hash;
    return reply;
}

// Checks ----------------------------------------------------------------------------------------------------------

ConsulReply checks(Stores& stores, const ConsulRequest& request) {
    bj::object result;
    for (const auto& [id, check] : stores.registry.checks()) {
        bj::value row = agent_check_json(stores.registry, check);
        if (request.keeps(row)) result[id] = std::move(row);
    }
    return reply_json(std::move(result));
}

ConsulReply register_check(Stores& stores, const ConsulRequest& request) {
    auto body = parse_body(request.body);
    if (!body) return refused(body.error());
    auto check = parse_check_registration(*body);
    if (!check) return refused(check.error());
    if (!stores.registry.check(check->id) && stores.registry.checks().size() >= kChecksMax)
        return reply_full("checks", kChecksMax);
    // 404 in Consul too.
    if (auto done = stores.registry.register_check(std::move(*check), request.now); !done) return refused(done.error());
    return reply_nothing();
}

ConsulReply deregister_check(Stores& stores, const ConsulRequest& request) {
    if (!stores.registry.deregister_check(request.argument)) return reply_text(404, unknown_check(request.argument));
    return reply_nothing();
}

ConsulReply report(Stores& stores, const ConsulRequest& request, CheckStatus status, std::string output) {
    const auto* check = stores.registry.check(request.argument);
    output = captured_output(std::move(output), check ? check->definition.output_bytes_max : 0);
    auto done = stores.registry.report_ttl(request.argument, status, std::move(output), request.now);
    if (done) return reply_nothing();
    // 500 for a check of another kind: Consul's answer, which clients know.
    return reply_text(done.error().kind() == Kind::not_found ? 404 : 500, done.error().message());
}

template <CheckStatus status>
ConsulReply report_as(Stores& stores, const ConsulRequest& request) {
    return report(stores, request, status, std::string(request.parameter("note")));
}

ConsulReply update_check(Stores& stores, const ConsulRequest& request) {
    auto body = parse_body(request.body);
    if (!body) return refused(body.error());
    const auto object = as_object(*body);
    if (!object) return refused(object.error());
    JsonFields fields(**object);
    const auto text = fields.text("Status");
    auto output = fields.text("Output");
    fields.finish();
    if (fields.error()) return refused(*fields.error());
    const auto status = parse_check_status(text);
    if (!status) return reply_text(400, "Invalid check status: '" + text + "'");
    return report(stores, request, *status, std::move(output));
}

// Maintenance: a check that is critical while it exists -----------------------------------------------------------

ConsulReply set_maintenance(Stores& stores, const ConsulRequest& request, CheckDefinition check) {
    if (!request.has("enable")) return reply_text(400, "Missing value for enable");
    const auto enable = parse_go_bool(request.parameter("enable"));
    if (!enable)
        return reply_text(400, "Invalid value for enable: \"" + std::string(request.parameter("enable")) + "\"");
    if (!*enable) {
        stores.registry.deregister_check(check.id);
        return reply_nothing();
    }
    check.type = CheckType::maintenance;
    check.notes = request.parameter("reason");
    if (check.notes.empty())
        check.notes = "Maintenance mode is enabled, but no reason was provided. This is a default message.";
    if (auto done = stores.registry.register_check(std::move(check), request.now); !done) return refused(done.error());
    return reply_nothing();
}

ConsulReply service_maintenance(Stores& stores, const ConsulRequest& request) {
    if (!stores.registry.service(request.argument)) return reply_text(404, unknown_service(request.argument));
    CheckDefinition check;
    check.id = std::string(kServiceMaintenance) + request.argument;
    check.name = "Service Maintenance Mode";
    check.service_id = request.argument;
    return set_maintenance(stores, request, std::move(check));
}

ConsulReply node_maintenance(Stores& stores, const ConsulRequest& request) {
    CheckDefinition check;
    check.id = kNodeMaintenance;
    check.name = "Node Maintenance Mode";
    return set_maintenance(stores, request, std::move(check));
}

// The agent itself ------------------------------------------------------------------------------------------------

ConsulReply self(Stores& stores, const ConsulRequest&) { return reply_json(self_json(stores.node)); }

ConsulReply members(Stores& stores, const ConsulRequest& request) {
    if (const auto segment = request.parameter("segment"); !segment.empty() && segment != "_all")
        return reply_text(500, "Network segments are not supported in this version of Consul");
    auto member = member_json(stores.node);
    if (request.has("wan")) member["Name"] = std::string(kNodeName) + "." + std::string(kDatacenter);
    bj::array result;
    if (bj::value row = std::move(member); request.keeps(row)) result.push_back(std::move(row));
    return reply_json(std::move(result));
}

ConsulReply version(Stores&, const ConsulRequest&) {
    return reply_json(
        bj::object{{"SHA", ""}, {"BuildDate", "1970-01-01T00:00:01Z"}, {"HumanVersion", kApiVersion}, {"FIPS", ""}});
}

ConsulReply access_control(Stores&, const ConsulRequest&) { return reply_text(401, "ACL support disabled"); }

} // namespace

std::span<const Route> agent_routes() {
    // PUT, and GET where clients written before Consul 1.0 (Debian's python3-consul) still use it.
    static const std::vector<Method> put_or_get{Method::put, Method::get};
    static const std::array<Route, 17> routes{{
        {"/v1/agent/service/register", {Method::put}, &register_service, {"replace-existing-checks"}},
        {"/v1/agent/service/deregister/", put_or_get, &deregister_service},
        {"/v1/agent/service/maintenance/", {Method::put}, &service_maintenance, {"enable", "reason"}},
        {"/v1/agent/services", {Method::get}, &services, {"filter"}, service_fields()},
        {"/v1/agent/service/", {Method::get}, &service, {"hash"}},
        {"/v1/agent/checks", {Method::get}, &checks, {"filter"}, check_fields()},
        {"/v1/agent/check/register", {Method::put}, &register_check},
        {"/v1/agent/check/deregister/", put_or_get, &deregister_check},
        {"/v1/agent/check/pass/", put_or_get, &report_as<CheckStatus::passing>, {"note"}},
        {"/v1/agent/check/warn/", put_or_get, &report_as<CheckStatus::warning>, {"note"}},
        {"/v1/agent/check/fail/", put_or_get, &report_as<CheckStatus::critical>, {"note"}},
        {"/v1/agent/check/update/", {Method::put}, &update_check},
        {"/v1/agent/maintenance", {Method::put}, &node_maintenance, {"enable", "reason"}},
        {"/v1/agent/self", {Method::get}, &self},
        {"/v1/agent/version", {Method::get}, &version},
        {"/v1/agent/members", {Method::get}, &members, {"wan", "segment", "filter"}, member_fields()},
        {"/v1/acl/", {Method::get, Method::put, Method::post, Method::delete_}, &access_control},
    }};
    return routes;
}

} // namespace flotilla::hub::consul
