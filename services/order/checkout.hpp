#pragma once

#include <optional>

#include <flotilla/saga/definition.hpp>
#include <flotilla/saga/view.hpp>

#include "services/order/api/order.hpp"

namespace order {

/// What the saga of an order knows: whatever its commands are made of. Its id is the order's.
struct Checkout {
    std::string order_id, user_id;
    std::vector<Item> items;
    Money total;
    std::optional<std::string> payment_method;
    std::optional<Address> address;
};

Checkout checkout_of(const Order& order, const PlaceOrder& request);

/// Holds payment, stock and carrier, then charges: from there on the order goes through. `confirm` is the order's own.
saga::Definition<Checkout> checkout(saga::Action<Checkout> confirm);
/// How far an order is whose checkout stands there.
Progress progress_of(const saga::View& checkout);

/// What the saga knows that takes a confirmed order back. Its id is cancellation_id() of the order's.
struct Refund {
    std::string order_id, user_id, reason;
};
std::string cancellation_id(std::string_view order);

/// Stops the shipment while that is possible, then gives money and pieces back. `cancel` is the order's own.
saga::Definition<Refund> refund(saga::Action<Refund> cancel);

} // namespace order
