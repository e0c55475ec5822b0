#pragma once

#include <vector>

#include "services/order/api/order.hpp"

namespace order {

inline constexpr std::size_t kItemsMax = 100;

/// Errors: no_items unless there are 1..100 lines.
Result<void> check_lines(const std::vector<Line>& lines);

/// A new PENDING order. `prices` are those of the lines, in their order.
Order draft_order(std::string id, Timestamp now, const PlaceOrder& request, const std::vector<Money>& prices);

/// The order confirmed. Errors: order_cancelled. A confirmed order stays as it is.
Result<Order> confirmed_order(Order order);

} // namespace order
