#pragma once

#include <flotilla/store/table.hpp>

#include "services/inventory/api/inventory.hpp"

namespace inventory::storage {

inline constexpr Table<Versioned<Stock>> stock{"stock"};
inline constexpr Table<Versioned<Reservation>> reservations{"reservations"};

/// By product id: those that come after $1, at most $2.
inline constexpr Query<Stock, std::string, int> stock_after{
    "FROM stock WHERE product_id > $1 ORDER BY product_id LIMIT $2"};

/// Held reservations whose time was over at $1, at most $2.
inline constexpr Query<Versioned<Reservation>, Timestamp, int> due{
    "FROM reservations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2"};
/// When the time of the next one is over.
inline constexpr Query<Timestamp> next_due{
    "SELECT expires_at FROM reservations WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT 1"};
/// Forgets what was finished before $1, at most $2.
inline constexpr Statement<Timestamp, int> forget{
    "DELETE FROM reservations WHERE order_id IN"
    " (SELECT order_id FROM reservations WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)"};

} // namespace inventory::storage
