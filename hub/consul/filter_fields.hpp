#pragma once

#include <span>

#include "hub/consul/filter.hpp"

/// The selectors of Consul 1.20 for each kind of row that can be filtered, whether or not this registry's rows ever
/// have a value there. What Consul marks as not filterable (indexes, check definitions) is not listed. Source: the
/// tables under "Filtering" on https://developer.hashicorp.com/consul/api-docs
namespace flotilla::hub::consul {

/// /v1/catalog/nodes.
std::span<const FilterField> node_fields();
/// /v1/agent/services, /v1/catalog/node/:node (the services), /v1/catalog/node-services/:node.
std::span<const FilterField> service_fields();
/// /v1/catalog/service/:name, and what /v1/catalog/services gathers its names from.
std::span<const FilterField> catalog_service_fields();
/// /v1/agent/checks, /v1/health/{node,checks,state}.
std::span<const FilterField> check_fields();
/// /v1/health/service/:name.
std::span<const FilterField> health_fields();
/// /v1/agent/members.
std::span<const FilterField> member_fields();

} // namespace flotilla::hub::consul
