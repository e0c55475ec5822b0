#include "services/order/checkout.hpp"

#include "services/inventory/api/inventory.hpp"
#include "services/payment/api/payment.hpp"
#include "services/shipping/api/shipping.hpp"

namespace order {
namespace {

using saga::call;
using saga::step;

payment::Authorize authorization(const Checkout& order) {
    payment::Authorize request{.order_id = order.order_id, .user_id = order.user_id, .amount = order.total};
    if (order.payment_method) request.payment_method = *order.payment_method;
    auto& lines = request.items.emplace();
    for (const auto& item : order.items)
        lines.push_back({.product_id = item.product_id, .quantity = item.quantity, .price = item.price});
    return request;
}

inventory::Reserve reservation(const Checkout& order) {
    inventory::Reserve request{.order_id = order.order_id, .items = {}};
    for (const auto& item : order.items)
        request.items.push_back({.product_id = item.product_id, .quantity = item.quantity});
    return request;
}

shipping::ScheduleShipment shipment(const Checkout& order) {
    shipping::ScheduleShipment request{
        .order_id = order.order_id, .user_id = order.user_id, .items = {}, .address = {}};
    for (const auto& item : order.items)
        request.items.push_back({.product_id = item.product_id, .quantity = item.quantity, .weight_g = {}});
    if (const auto& to = order.address)
        request.address = {to->country, to->name, to->street, to->city, to->postal_code};
    return request;
}

template <class State>
payment::PaymentId payment_of(const State& order) {
    return {.order_id = order.order_id};
}
template <class State>
inventory::OrderId stock_of(const State& order) {
    return {.order_id = order.order_id};
}
template <class State>
shipping::ShipmentId shipment_of(const State& order) {
    return {.order_id = order.order_id};
}

} // namespace

Checkout checkout_of(const Order& order, const PlaceOrder& request) {
    Checkout checkout{.order_id = order.id,
                      .user_id = order.user_id,
                      .items = order.items,
                      .total = order.total,
                      .address = request.address};
    if (request.payment_method) checkout.payment_method = *request.payment_method;
    return checkout;
}

saga::Definition<Checkout> checkout(saga::Action<Checkout> confirm) {
    return {"checkout",
            1,
            {
                step("payment.reserve", call(payment::authorize, &authorization))
                    .undone_by(call(payment::cancel, &payment_of<Checkout>)),
                step("inventory.reserve", call(inventory::reserve, &reservation))
                    .undone_by(call(inventory::release, &stock_of<Checkout>)),
                step("shipping.schedule", call(shipping::schedule, &shipment))
                    .undone_by(call(shipping::cancel, &shipment_of<Checkout>)),
                step("payment.capture", call(payment::capture, &payment_of<Checkout>)).pivot(),
                step("inventory.commit", call(inventory::commit, &stock_of<Checkout>)),
                step("confirm", std::move(confirm)),
            }};
}

Progress progress_of(const saga::View& checkout) {
    if (checkout.direction == saga::Direction::undo) return Progress::cancelling;
    auto progress = Progress::placed;
    for (const auto& [name, reached] : {std::pair{"payment.reserve", Progress::payment_held},
                                        {"inventory.reserve", Progress::stock_held},
                                        {"shipping.schedule", Progress::shipment_scheduled},
                                        {"payment.capture", Progress::paid}}) {
        if (checkout.state_of(name) == saga::StepState::done) progress = reached;
    }
    return progress;
}

std::string cancellation_id(std::string_view order) { return std::string(order) + "-cancellation"; }

saga::Definition<Refund> refund(saga::Action<Refund> cancel) {
    return {"refund",
            1,
            {
                step("shipping.cancel", call(shipping::cancel, &shipment_of<Refund>)),
                step("payment.cancel", call(payment::cancel, &payment_of<Refund>)).pivot(),
                step("inventory.release", call(inventory::release, &stock_of<Refund>)),
                step("cancel", std::move(cancel)),
            }};
}

} // namespace order
