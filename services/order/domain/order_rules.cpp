#include "services/order/domain/order_rules.hpp"

namespace order {

Result<void> check_lines(const std::vector<Line>& lines) {
    if (lines.empty() || lines.size() > kItemsMax) return no_items;
    return {};
}

Order draft_order(std::string id, Timestamp now, const PlaceOrder& request, const std::vector<Price>& prices) {
    Order order{.id = std::move(id), .user_id = request.user_id, .status = Status::pending, .created_at = now};
    for (std::size_t i = 0; i < request.items.size(); ++i) {
        const int quantity = request.items[i].quantity;
        order.items.push_back({request.items[i].product_id, quantity, prices.at(i).amount, prices[i].as_of});
        order.total = order.total + prices[i].amount * quantity;
    }
    return order;
}

Result<Order> confirmed_order(Order order) {
    if (order.status == Status::cancelled) return order_cancelled;
    order.status = Status::confirmed;
    return order;
}

} // namespace order
