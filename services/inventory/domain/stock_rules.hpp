#pragma once

#include <vector>

#include "services/inventory/api/inventory.hpp"

namespace inventory {

inline constexpr std::size_t kItemsMax = 100;

/// Errors: no_items unless there are 1..100 lines.
Result<void> check_lines(const std::vector<Line>& lines);

/// What is wanted of each product, by its id.
std::vector<Item> items_of(const std::vector<Line>& lines);

/// How one piece moves between those that are available and those that are reserved.
struct Move {
    int available, reserved;
};
inline constexpr Move kReserve{-1, +1};
inline constexpr Move kGiveBack{+1, -1};
inline constexpr Move kSell{0, -1};
inline constexpr Move kTakeBack{+1, 0}; ///< what was sold and has not left

/// The stock once so many pieces have moved. Errors: out_of_stock, since there are never fewer than none.
Result<Stock> moved(Stock stock, int quantity, Move move);

/// Whether an order may be reserved that has a reservation already. Errors: reservation_released; reservation_differs.
Result<void> check_repeated(const Reservation& reservation, const std::vector<Item>& items);

} // namespace inventory
