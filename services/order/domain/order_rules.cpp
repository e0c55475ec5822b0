#include "services/order/domain/order_rules.hpp"

namespace order {

Result<void> check_lines(const std::vector<Line>& lines) {
    if (lines.empty() || lines.size() > kItemsMax) return no_items;
    return {};
}

history::Placed draft_order(std::string id, Timestamp now, const PlaceOrder& request,
                            const std::vector<Price>& prices) {
    history::Placed order{.id = std::move(id), .user_id = request.user_id, .placed_at = now};
    for (std::size_t i = 0; i < request.items.size(); ++i) {
        const int quantity = request.items[i].quantity;
        order.items.push_back({request.items[i].product_id, quantity, prices.at(i).amount, prices[i].as_of});
        order.total = order.total + prices[i].amount * quantity;
    }
    return order;
}

NewEvents advance(const Order& order, Progress to, std::optional<std::string> reason) {
    if (order.progress == to || order.status == Status::cancelled) return {};
    if (to == Progress::confirmed && order.progress != Progress::cancelling) return {}; // it has left meanwhile
    return {history::advanced, {to, std::move(reason)}};
}

bool is_held(const Order& order) {
    return order.status == Status::confirmed ||
           (order.progress >= Progress::stock_held && order.progress <= Progress::delivered);
}

Result<Order> held_order(const Order& order) {
    if (order.status == Status::cancelled) return order_cancelled;
    if (!is_held(order)) return order_not_held.with(name(order.progress));
    return order;
}

Result<Cancellation> cancellation_of(const Order& order) {
    switch (order.progress) {
    case Progress::cancelling:
    case Progress::cancelled:
        return Cancellation::nothing;
    case Progress::dispatched:
    case Progress::delivered:
        return order_dispatched;
    case Progress::confirmed:
        return Cancellation::refund;
    default:
        return Cancellation::checkout;
    }
}

std::string_view name(Progress progress) {
    return descriptor_of<Progress>.enumerators[static_cast<std::size_t>(progress)].text;
}

} // namespace order
