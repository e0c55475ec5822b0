#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "services/order/domain/history.hpp"

namespace order {

inline constexpr std::size_t kItemsMax = 100;

/// Errors: no_items unless there are 1..100 lines.
Result<void> check_lines(const std::vector<Line>& lines);

/// What a product costs.
struct Price {
    Money amount;
    std::optional<Timestamp> as_of; ///< when the catalogue last said so; absent: now
};

/// A new order. `prices` are those of the lines, in their order.
history::Placed draft_order(std::string id, Timestamp now, const PlaceOrder& request, const std::vector<Price>& prices);

/// That an order has come so far, and why; nothing when that is no news. A cancelled one stays so.
NewEvents advance(const Order& order, Progress to, std::optional<std::string> reason = {});

/// Whether payment and stock are held for it, or have been.
bool is_held(const Order& order);

/// The order as the answer to who asks whether it goes through. Errors: order_cancelled, order_not_held.
Result<Order> held_order(const Order& order);

/// What a customer's wish to cancel an order comes to.
enum class Cancellation {
    nothing,  ///< it is cancelled, or being cancelled
    checkout, ///< while it is being placed
    refund,   ///< what was charged is given back
};
/// Errors: order_dispatched.
Result<Cancellation> cancellation_of(const Order& order);

/// "SHIPMENT_SCHEDULED"
std::string_view name(Progress progress);

} // namespace order
