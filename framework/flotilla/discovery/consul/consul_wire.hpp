#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// Consul's JSON of what the driver sends and reads. Source: https://developer.hashicorp.com/consul/api-docs

/// The body of PUT /v1/agent/service/register. What Consul has no field for is metadata; so is the exact weight, since
/// Consul's own are whole numbers.
std::string registration_body(const Instance& instance, Duration ttl);

/// The instances in an answer of GET /v1/health/service/:name. Errors: bad_gateway when it is anything else.
Result<std::vector<Instance>> parse_health_answer(std::string_view service, std::string_view body);

/// The entries in an answer of GET /v1/kv/:prefix?recurse. Errors: bad_gateway when it is anything else.
Result<std::vector<KeyValue>> parse_key_values(std::string_view body);

/// A duration as Consul reads it, in milliseconds: "1667ms".
std::string consul_duration(Duration duration);

} // namespace flotilla
