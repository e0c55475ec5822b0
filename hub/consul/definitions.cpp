#include "hub/consul/definitions.hpp"

#include <algorithm>

#include "hub/consul/json_fields.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

Error invalid(std::string message) { return {Kind::invalid, std::move(message)}; }

bool is_token(std::string_view text) {
    static constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~"; // RFC 9110 §5.6.2
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kOthers.contains(c);
    });
}

bool is_visible(std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

/// `Header: {"name": ["value", ...]}`
std::vector<CheckHeader> parse_headers(JsonFields& fields) {
    std::vector<CheckHeader> headers;
    const auto* object = fields.object("Header");
    if (!object) return headers;
    for (const auto& [key, values] : *object) {
        const auto* list = values.if_array();
        if (!list || !is_token({key.data(), key.size()})) {
            fields.fail("Header", "an object of header names with lists of strings");
            return {};
        }
        for (const auto& each : *list) {
            const auto* text = each.if_string();
            // CR and LF would let a registration write its own requests.
            if (!text || view(*text).find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
                fields.fail("Header", "an object of lists of strings without line breaks");
                return {};
            }
            headers.push_back({std::string(key.data(), key.size()), std::string(view(*text))});
        }
    }
    return headers;
}

/// Which kind of check it is, and that it has what the kind needs.
Result<void> classify(CheckDefinition& check, JsonFields& fields) {
    for (const auto* unsupported : {"Args", "ScriptArgs", "Script", "DockerContainerID", "GRPC", "UDP", "AliasNode",
                                    "AliasService", "H2PING", "OSService"}) {
        if (fields.has(unsupported)) {
            return invalid("Invalid check: " + std::string(unsupported) +
                           " checks are not supported here; use TTL, HTTP or TCP");
        }
    }
    const bool probes = !check.http.empty() || !check.tcp.empty();
    if (check.interval > Duration::zero() && check.ttl > Duration::zero()) {
        return invalid("Invalid check: Interval and TTL cannot both be specified");
    }
    if (probes && check.interval <= Duration::zero()) {
        return invalid("Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks");
    }
    if (!probes && check.ttl <= Duration::zero()) return invalid("Invalid check: TTL must be > 0 for TTL checks");
    if (!check.http.empty() && !check.http.starts_with("http://")) {
        return invalid("Invalid check: HTTP takes a URL that starts with http://, found \"" + check.http + "\"");
    }
    // They become part of a request of ours.
    if (!is_visible(check.http) || !is_visible(check.tcp))
        return invalid("Invalid check: HTTP and TCP take visible ASCII only");
    if (!check.method.empty() && !is_token(check.method)) return invalid("Invalid check: Method is not a method");
    check.type = !check.http.empty() ? CheckType::http : !check.tcp.empty() ? CheckType::tcp : CheckType::ttl;
    return {};
}

Result<CheckDefinition> parse_check(const bj::object& object) {
    JsonFields fields(object);
    CheckDefinition check;
    check.id = fields.text("CheckID");
    if (check.id.empty()) check.id = fields.text("ID");
    check.name = fields.text("Name");
    check.notes = fields.text("Notes");
    check.service_id = fields.text("ServiceID");
    check.http = fields.text("HTTP");
    check.method = fields.text("Method");
    check.headers = parse_headers(fields);
    check.body = fields.text("Body");
    check.tcp = fields.text("TCP");
    check.interval = fields.duration("Interval");
    check.timeout = fields.duration("Timeout");
    check.ttl = fields.duration("TTL");
    check.deregister_after = fields.duration("DeregisterCriticalServiceAfter");
    if (const auto status = fields.text("Status"); !status.empty()) {
        check.status = parse_check_status(status);
        if (!check.status) return invalid("Bad check status");
    }
    if (auto kind = classify(check, fields); !fields.error() && !kind) return std::move(kind.error());
    if (fields.error()) return *fields.error();
    return check;
}

} // namespace

void parse_tagged_addresses(JsonFields& fields, ServiceDefinition& service) {
    const auto* object = fields.object("TaggedAddresses");
    if (!object) return;
    for (const auto& [key, value] : *object) {
        const auto* each = value.if_object();
        if (!each) {
            fields.fail("TaggedAddresses", "an object of {Address, Port}");
            return;
        }
        JsonFields address(*each);
        auto& entry = service.tagged_addresses[std::string(key.data(), key.size())];
        entry.address = address.text("Address");
        const auto port = address.number("Port").value_or(0);
        entry.port = static_cast<std::uint16_t>(port);
        if (address.error() || port < 0 || port > 65535) fields.fail("TaggedAddresses", "an object of {Address, Port}");
    }
}

namespace {

void parse_weights(JsonFields& fields, ServiceDefinition& service) {
    const auto* object = fields.object("Weights");
    if (!object) return;
    JsonFields weights(*object);
    service.weight_passing = static_cast<int>(weights.number("Passing").value_or(1));
    service.weight_warning = static_cast<int>(weights.number("Warning").value_or(1));
    if (weights.error() || service.weight_passing < 1 || service.weight_passing > 65535 || service.weight_warning < 0 ||
        service.weight_warning > 65535) {
        fields.fail("Weights", "Passing 1..65535 and Warning 0..65535");
    }
}

Result<ServiceDefinition> parse_service(JsonFields& fields) {
    ServiceDefinition service;
    service.id = fields.text("ID");
    service.name = fields.text("Name");
    service.address = fields.text("Address");
    const auto port = fields.number("Port").value_or(0);
    if (port < 0 || port > 65535) fields.fail("Port", "0..65535");
    service.port = static_cast<std::uint16_t>(port);
    service.tags = fields.texts("Tags");
    service.meta = fields.text_map("Meta");
    service.enable_tag_override = fields.flag("EnableTagOverride");
    parse_tagged_addresses(fields, service);
    parse_weights(fields, service);
    if (fields.error()) return *fields.error();
    if (service.name.empty()) return invalid("Missing service name");
    if (service.address == "0.0.0.0" || service.address == "::" || service.address == "[::]") {
        return invalid("Invalid service address");
    }
    if (service.id.empty()) service.id = service.name;
    return service;
}

Result<const bj::object*> as_object(const bj::value& body) {
    if (const auto* object = body.if_object()) return object;
    return invalid("Request decode failed: expected an object");
}

} // namespace

Result<ServiceRegistration> parse_service_registration(const bj::value& body) {
    const auto object = as_object(body);
    if (!object) return object.error();
    JsonFields fields(**object);
    auto service = parse_service(fields);
    if (!service) return std::move(service.error());
    ServiceRegistration registration{std::move(*service), {}};
    std::vector<const bj::object*> checks;
    if (const auto* one = fields.object("Check")) checks.push_back(one);
    if (const auto* list = fields.array("Checks")) {
        for (const auto& each : *list) {
            if (each.is_null()) continue;
            if (!each.is_object()) return invalid("Request decode failed: 'Checks' expected a list of objects");
            checks.push_back(&each.get_object());
        }
    }
    if (fields.error()) return *fields.error();
    for (const auto* each : checks) {
        if (each->empty()) continue;
        auto check = parse_check(*each);
        if (!check) return std::move(check.error());
        registration.checks.push_back(std::move(*check));
    }
    return registration;
}

Result<CheckDefinition> parse_check_registration(const bj::value& body) {
    const auto object = as_object(body);
    if (!object) return object.error();
    auto check = parse_check(**object);
    if (!check) return check;
    if (check->name.empty()) return invalid("Missing check name");
    if (check->id.empty()) check->id = check->name;
    return check;
}

} // namespace flotilla::hub::consul
