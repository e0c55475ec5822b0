#include "hub/consul/definitions.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <limits>

#include "hub/consul/json_fields.hpp"
#include "hub/consul/service_members.hpp"

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

/// A number of times or bytes; absent: 0.
std::uint32_t parse_count(JsonFields& fields, std::string_view name) {
    const auto number = fields.number(name).value_or(0);
    if (number >= 0 && number <= std::numeric_limits<std::int32_t>::max()) return static_cast<std::uint32_t>(number);
    fields.fail(name, "a number from 0 to 2147483647");
    return 0;
}

/// What Consul does and this registry does not; passing over it would leave a check that never checks.
void refuse_other_kinds(JsonFields& fields, std::optional<Error>& refused) {
    for (const auto* name : {"GRPC", "UDP", "H2PING", "OSService", "AliasNode", "AliasService", "DockerContainerID",
                             "Shell", "ProxyHTTP", "ProxyGRPC", "GRPCUseTLS", "TCPUseTLS", "H2PingUseTLS"}) {
        if (fields.is_set(name) && !refused)
            refused = invalid("Invalid check: " + std::string(name) + " is not supported here; use TTL, HTTP or TCP");
    }
    for (const auto* name : {"Args", "ScriptArgs"}) {
        if (fields.is_set(name) && !refused) {
            refused = Error(Kind::internal, "Scripts are disabled on this agent from remote calls; to enable, "
                                            "configure 'enable_script_checks' to true");
        }
    }
    // They say how TLS is spoken and redirects are followed, which HTTP checks do not do here.
    for (const auto* name : {"TLSServerName", "TLSSkipVerify", "DisableRedirects"})
        (void)fields.is_set(name);
}

/// A check as it was written; what it means is looked at by validate().
struct WrittenCheck {
    CheckDefinition definition;
    std::string status;
    std::optional<Error> refused;
};

WrittenCheck decode_check(JsonFields& fields) {
    WrittenCheck written;
    auto& check = written.definition;
    check.id = fields.text("CheckID");
    const auto id = fields.text("ID");
    if (check.id.empty()) check.id = id;
    check.name = fields.text("Name");
    check.notes = fields.text("Notes");
    check.service_id = fields.text("ServiceID");
    written.status = fields.text("Status");
    check.http = fields.text("HTTP");
    check.method = fields.text("Method");
    check.headers = parse_headers(fields);
    check.body = fields.text("Body");
    check.tcp = fields.text("TCP");
    check.interval = fields.duration("Interval");
    check.timeout = fields.duration("Timeout");
    check.ttl = fields.duration("TTL");
    check.deregister_after = fields.duration("DeregisterCriticalServiceAfter");
    check.successes_before_passing = parse_count(fields, "SuccessBeforePassing");
    check.failures_before_critical = parse_count(fields, "FailuresBeforeCritical");
    check.failures_before_warning = parse_count(fields, "FailuresBeforeWarning");
    check.output_bytes_max = parse_count(fields, "OutputMaxSize");
    (void)fields.text("Token"); // there are no ACLs
    refuse_other_kinds(fields, written.refused);
    return written;
}

/// Which kind of check it is, and that it has what the kind needs.
Result<void> classify(CheckDefinition& check) {
    const bool probes = !check.http.empty() || !check.tcp.empty();
    if (check.interval > Duration::zero() && check.ttl > Duration::zero())
        return invalid("Invalid check: Interval and TTL cannot both be specified");
    if (probes && check.interval <= Duration::zero())
        return invalid("Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks");
    if (!probes && check.ttl <= Duration::zero()) return invalid("Invalid check: TTL must be > 0 for TTL checks");
    if (!check.http.empty() && !check.tcp.empty())
        return invalid("Invalid check: HTTP and TCP cannot both be specified; make two checks of them");
    if (!check.http.empty() && !check.http.starts_with("http://"))
        return invalid("Invalid check: HTTP takes a URL that starts with http://, found \"" + check.http + "\"");
    // They become part of a request of ours.
    if (!is_visible(check.http) || !is_visible(check.tcp))
        return invalid("Invalid check: HTTP and TCP take visible ASCII only");
    if (!check.method.empty() && !is_token(check.method)) return invalid("Invalid check: Method is not a method");
    if (check.failures_before_warning > check.failures_before_critical)
        return invalid("Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical");
    check.type = !check.http.empty() ? CheckType::http : !check.tcp.empty() ? CheckType::tcp : CheckType::ttl;
    return {};
}

Result<CheckDefinition> validate(WrittenCheck written, std::string_view bad_status) {
    if (written.refused) return std::move(*written.refused);
    if (auto kind = classify(written.definition); !kind) return std::move(kind.error());
    if (!written.status.empty()) {
        written.definition.status = parse_check_status(written.status);
        if (!written.definition.status) return invalid(std::string(bad_status));
    }
    return std::move(written.definition);
}

/// Consul adds what the address itself says.
void add_tagged_addresses(ServiceDefinition& service) {
    const TaggedAddress own{service.address, service.port};
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    const auto is = [&](int family) { return ::inet_pton(family, service.address.c_str(), bytes.data()) == 1; };
    for (const auto& [family, suffix] : {std::pair(AF_INET, "ipv4"), std::pair(AF_INET6, "ipv6")}) {
        if (!is(family)) continue;
        service.tagged_addresses.try_emplace(std::string("lan_") + suffix, own);
        service.tagged_addresses.try_emplace(std::string("wan_") + suffix, own);
    }
}

Result<void> parse_weights(JsonFields& fields, ServiceDefinition& service) {
    const auto weights = read_weights(fields);
    if (!weights) return {};
    if (weights->passing < 1) return invalid("Invalid Weights: Passing must be greater than 0");
    if (weights->warning < 0) return invalid("Invalid Weights: Warning must be greater or equal than 0");
    if (weights->passing > 65535 || weights->warning > 65535)
        return invalid("Invalid Weights: DNS Weight must be between 0 and 65535");
    service.weight_passing = static_cast<int>(weights->passing);
    service.weight_warning = static_cast<int>(weights->warning);
    return {};
}

/// What belongs to the service mesh. Who asked for a proxy would wait for one.
void refuse_mesh(JsonFields& fields, std::optional<Error>& refused) {
    const auto refuse = [&](std::string_view name) {
        refused = invalid("Invalid service: " + std::string(name) + " belongs to Consul's service mesh or placement, " +
                          "which this registry does not have; leave it out");
    };
    for (const auto* name : {"Kind", "Proxy", "Locality"}) {
        if (fields.is_set(name) && !refused) refuse(name);
    }
    const auto* object = fields.object("Connect");
    if (!object) return;
    fields.read_part(*object, [&](JsonFields& connect) {
        for (const auto* name : {"Native", "SidecarService"}) {
            // An empty SidecarService asks for one with defaults.
            const bool wanted = name == std::string_view("Native") ? connect.is_set(name) : connect.has(name);
            if (wanted && !refused) refuse("Connect." + std::string(name));
        }
    });
}

/// Consul's limits of metadata. What passes here must pass there.
std::string_view wrong_with_meta(std::string_view key, std::string_view value) {
    constexpr std::size_t kKeyMax = 128;
    constexpr std::size_t kValueMax = 512;
    if (key.empty()) return "Key cannot be blank";
    if (!std::ranges::all_of(key, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        }))
        return "Key contains invalid characters";
    if (key.size() > kKeyMax) return "Key is too long (limit: 128 characters)";
    if (key.starts_with("consul-")) return "Key prefix 'consul-' is reserved for internal use";
    if (value.size() > kValueMax) return "Value is too long (limit: 512 characters)";
    return {};
}

Result<void> validate_meta(const std::map<std::string, std::string>& meta) {
    constexpr std::size_t kPairsMax = 64;
    if (meta.size() > kPairsMax)
        return invalid("Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs");
    for (const auto& [key, value] : meta) {
        if (const auto wrong = wrong_with_meta(key, value); !wrong.empty()) {
            return invalid("Invalid Service Meta: Couldn't load metadata pair ('" + key + "', '" + value +
                           "'): " + std::string(wrong));
        }
    }
    return {};
}

std::vector<WrittenCheck> decode_checks(JsonFields& fields) {
    std::vector<const bj::object*> objects;
    if (const auto* one = fields.object("Check")) objects.push_back(one);
    if (const auto* list = fields.array("Checks")) {
        for (const auto& each : *list) {
            if (each.is_null()) continue;
            if (!each.is_object()) fields.fail("Checks", "a list of objects");
            if (each.is_object()) objects.push_back(&each.get_object());
        }
    }
    std::vector<WrittenCheck> checks;
    for (const auto* object : objects) {
        if (object->empty()) continue;
        fields.read_part(*object, [&](JsonFields& check) { checks.push_back(decode_check(check)); });
    }
    return checks;
}

} // namespace

Result<ServiceRegistration> parse_service_registration(const bj::value& body) {
    const auto object = as_object(body);
    if (!object) return object.error();
    JsonFields fields(**object);
    ServiceRegistration registration;
    auto& service = registration.service;
    service = read_service(fields, "Name");
    if (auto path = fields.text("SocketPath"); !path.empty()) service.socket_path = std::move(path);
    (void)fields.text("Token"); // there are no ACLs
    const auto weights = parse_weights(fields, service);
    std::optional<Error> refused;
    refuse_mesh(fields, refused);
    auto checks = decode_checks(fields);
    fields.finish();
    if (fields.error()) return *fields.error();
    if (service.name.empty()) return invalid("Missing service name");
    if (service.address == "0.0.0.0" || service.address == "::" || service.address == "[::]")
        return invalid("Invalid service address");
    if (!weights) return weights.error();
    if (auto meta = validate_meta(service.meta); !meta) return std::move(meta.error());
    if (refused) return std::move(*refused);
    if (service.id.empty()) service.id = service.name;
    add_tagged_addresses(service);
    for (auto& written : checks) {
        auto check = validate(std::move(written), "Status for checks must 'passing', 'warning', 'critical'");
        if (!check) return std::move(check.error());
        registration.checks.push_back(std::move(*check));
    }
    return registration;
}

Result<CheckDefinition> parse_check_registration(const bj::value& body) {
    const auto object = as_object(body);
    if (!object) return object.error();
    auto written = JsonFields::read_whole(**object, decode_check);
    if (!written) return std::move(written.error());
    if (written->definition.name.empty()) return invalid("Missing check name");
    auto check = validate(std::move(*written), "Bad check status");
    if (check && check->id.empty()) check->id = check->name;
    return check;
}

} // namespace flotilla::hub::consul
