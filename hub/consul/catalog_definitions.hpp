#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include <flotilla/base/result.hpp>

#include "hub/consul/external_nodes.hpp"

/// What clients write of external nodes: in /v1/catalog/register and in transactions.
namespace flotilla::hub::consul {

struct CatalogRegistration {
    std::string datacenter;
    ExternalNode node;
    bool skip_node_update = false;
    std::optional<ServiceDefinition> service;
    std::vector<ExternalCheck> checks;
};

struct CatalogDeregistration {
    std::string datacenter;
    std::string node;
    std::string service_id; ///< empty: not a service
    std::string check_id;   ///< both empty: the node itself
};

/// A row of a transaction that names what it found before, for "cas" and "delete-cas".
template <class Item>
struct Expected {
    Item item;
    std::uint64_t modify_index = 0;
};

// Errors of all: invalid, what is wrong with which member.

Result<CatalogRegistration> parse_catalog_registration(const boost::json::value& body);
Result<CatalogDeregistration> parse_catalog_deregistration(const boost::json::value& body);
Result<Expected<ExternalNode>> parse_external_node(const boost::json::object& object);
Result<Expected<ServiceDefinition>> parse_external_service(const boost::json::object& object);
Result<Expected<ExternalCheck>> parse_external_check(const boost::json::object& object);

// Consul's own objections to what was understood; nullopt: none.

std::optional<std::string> objection(const ExternalNode& node);
/// Fills in the id, which is the name where none is given.
std::optional<std::string> objection(ServiceDefinition& service);
/// Fills in the id, likewise.
std::optional<std::string> objection(ExternalCheck& check);
/// The agent's own node is not the catalogue's to change: Consul would let an agent put it right again.
std::optional<std::string> objection_to_own_node(std::string_view node);

} // namespace flotilla::hub::consul
