#pragma once

#include <flotilla/store/table.hpp>

#include "services/order/api/order.hpp"

namespace order::storage {

inline constexpr Table<Order> orders{"orders"};

/// A user's orders, oldest first; at most the newest 1,000.
inline constexpr Query<Order, std::string> orders_of{
    "FROM (SELECT * FROM orders WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000) AS newest"
    " ORDER BY created_at, id"};

} // namespace order::storage
