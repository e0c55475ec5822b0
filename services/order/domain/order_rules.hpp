#pragma once

#include <optional>
#include <vector>

#include "services/order/api/order.hpp"

namespace order {

inline constexpr std::size_t kItemsMax = 100;

/// Errors: no_items unless there are 1..100 lines.
Result<void> check_lines(const std::vector<Line>& lines);

/// What a product costs.
struct Price {
    Money amount;
    std::optional<Timestamp> as_of; ///< when the catalogue last said so; absent: now
};

/// A new PENDING order. `prices` are those of the lines, in their order.
Order draft_order(std::string id, Timestamp now, const PlaceOrder& request, const std::vector<Price>& prices);

/// The order confirmed. Errors: order_cancelled. A confirmed order stays as it is.
Result<Order> confirmed_order(Order order);

} // namespace order
