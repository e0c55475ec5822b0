#pragma once

#include <boost/json.hpp>

#include "hub/consul/external_nodes.hpp"

/// External nodes as the JSON of Consul's HTTP API, beside shapes.hpp for this node's own.
namespace flotilla::hub::consul {

boost::json::object node_json(const ExternalNode& node);
/// A check as /v1/health/* shows it.
boost::json::object check_json(const ExternalNodes& nodes, const ExternalCheck& check);
/// An entry of /v1/health/service/:name.
boost::json::object health_json(const ExternalNodes& nodes, const ExternalService& service);
/// An entry of /v1/catalog/service/:name.
boost::json::object catalog_service_json(const ExternalNodes& nodes, const ExternalService& service);

} // namespace flotilla::hub::consul
