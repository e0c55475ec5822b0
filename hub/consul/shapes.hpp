#pragma once

#include <boost/json.hpp>

#include "hub/consul/registry_state.hpp"
#include "hub/consul/session_state.hpp"

/// State as the JSON of Consul's HTTP API: names, capitalisation, what is left out and what is null.
/// Source: https://developer.hashicorp.com/consul/api-docs
namespace flotilla::hub::consul {

/// Who this node is.
struct Node {
    std::string id; ///< a UUID that stays
    std::uint64_t index = 1;
};
/// The version of Consul whose API this speaks; some clients choose by it.
inline constexpr std::string_view kApiVersion = "1.20.0";
/// What is known about it, as Consul says it.
const std::map<std::string, std::string>& node_meta();

boost::json::object node_json(const Node& node);
/// An entry of /v1/agent/services.
boost::json::object agent_service_json(const RegisteredService& service);
/// The body of /v1/agent/service/:id, with its ContentHash.
boost::json::object agent_service_detail_json(const RegisteredService& service);
/// A check as /v1/health/* shows it; as /v1/agent/checks does, which knows no indexes.
boost::json::object check_json(const RegistryState& registry, const RegisteredCheck& check);
boost::json::object agent_check_json(const RegistryState& registry, const RegisteredCheck& check);
/// The check of the node itself, always passing.
boost::json::object node_check_json();
/// All of the node's, its own included, by id.
std::map<std::string, boost::json::object, std::less<>> all_checks(const RegistryState& registry);
/// An entry of /v1/health/service/:name.
boost::json::object health_json(const Node& node, const RegistryState& registry, const RegisteredService& service);
/// An entry of /v1/catalog/service/:name.
boost::json::object catalog_service_json(const Node& node, const RegisteredService& service);
/// The `Service` of a health entry, also in /v1/catalog/node/:node.
boost::json::object service_json(const RegisteredService& service);
boost::json::object kv_json(const KvEntry& entry);
boost::json::object session_json(const Session& session);
/// /v1/agent/self and the entry of /v1/agent/members.
boost::json::object self_json(const Node& node);
boost::json::object member_json(const Node& node);

} // namespace flotilla::hub::consul
