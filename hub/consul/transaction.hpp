#pragma once

#include <span>
#include <variant>
#include <vector>

#include <boost/json.hpp>

#include "hub/consul/catalog_definitions.hpp"
#include "hub/consul/stores.hpp"

namespace flotilla::hub::consul {

/// One operation each, as a client writes it in /v1/txn. An unknown verb fails when the transaction runs, as in Consul.
struct KvOperation {
    std::string verb;
    std::string key;
    std::string value; ///< any bytes
    std::uint64_t flags = 0;
    std::uint64_t index = 0;
    std::string session;
};
struct NodeOperation {
    std::string verb;
    Expected<ExternalNode> node;
};
struct ServiceOperation {
    std::string verb;
    std::string node;
    Expected<ServiceDefinition> service;
};
struct CheckOperation {
    std::string verb;
    Expected<ExternalCheck> check;
};
using Operation = std::variant<KvOperation, NodeOperation, ServiceOperation, CheckOperation>;

struct OperationError {
    std::size_t operation = 0; ///< its place in the transaction, from 0
    std::string what;
};

struct TransactionOutcome {
    boost::json::array results;         ///< of the operations that have one, in order
    std::vector<OperationError> errors; ///< none: the transaction has succeeded
};

/// Runs all of them, each on what those before have left, under one index. With an error nothing has changed.
/// Source: https://developer.hashicorp.com/consul/api-docs/txn
TransactionOutcome run_transaction(Stores& stores, std::span<Operation> operations, Instant now);

} // namespace flotilla::hub::consul
