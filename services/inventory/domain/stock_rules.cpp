#include "services/inventory/domain/stock_rules.hpp"

#include <map>

namespace inventory {

Result<void> check_lines(const std::vector<Line>& lines) {
    if (lines.empty() || lines.size() > kItemsMax) return no_items;
    return {};
}

std::vector<Item> items_of(const std::vector<Line>& lines) {
    std::map<std::string_view, int> wanted;
    for (const auto& line : lines)
        wanted[line.product_id] += line.quantity;
    std::vector<Item> items;
    for (const auto& [product_id, quantity] : wanted)
        items.push_back({std::string(product_id), quantity});
    return items;
}

Result<Stock> moved(Stock stock, int quantity, Move move) {
    const auto available = stock.available + move.available * quantity;
    if (available < 0) {
        return out_of_stock.with(stock.product_id + " (" + std::to_string(quantity) + " wanted, " +
                                 std::to_string(stock.available) + " available)");
    }
    stock.available = available;
    stock.reserved += move.reserved * quantity;
    return stock;
}

Result<void> check_repeated(const Reservation& reservation, const std::vector<Item>& items) {
    if (reservation.state == State::released) return reservation_released;
    if (reservation.items != items) return reservation_differs;
    return {};
}

} // namespace inventory
