#pragma once

#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/result.hpp>

#include "hub/consul/stores.hpp"

namespace flotilla::hub::consul {

/// One stored document: what the registry's file consists of.
struct StoredRow {
    std::string kind; ///< of Table: "service", "check", "kv", "session", "meta", "node", "node_service", "node_check"
    std::string id;
    std::string document; ///< JSON
};

/// What to write for a change; without a document the row goes.
struct RowChange {
    std::string kind;
    std::string id;
    std::optional<std::string> document;
};

/// The rows of everything that has changed, and of the index itself.
std::vector<RowChange> rows_of(const Stores& stores, const std::set<std::pair<Table, std::string>>& changed);
/// Puts stored rows back into empty stores. Errors: internal, naming the row that cannot be read.
Result<void> restore(Stores& stores, const std::vector<StoredRow>& rows, Instant now);

} // namespace flotilla::hub::consul
