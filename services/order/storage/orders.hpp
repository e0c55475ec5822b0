#pragma once

#include <flotilla/store/database.hpp>

#include "services/order/api/order.hpp"

namespace order::storage {

/// Stores a new order and gives it back.
flotilla::Result<Order> insert(flotilla::Transaction& tx, Order order);
flotilla::Result<void> set_status(flotilla::Transaction& tx, const std::string& id, Status status);
flotilla::Result<std::optional<Order>> find(flotilla::Transaction& tx, const std::string& id);

flotilla::task<flotilla::Result<std::optional<Order>>> find(flotilla::Context& context, flotilla::Database& database,
                                                            std::string id);
/// A user's orders, oldest first; at most the newest 1,000.
flotilla::task<flotilla::Result<std::vector<Order>>> list(flotilla::Context& context, flotilla::Database& database,
                                                          std::string user_id);

} // namespace order::storage
