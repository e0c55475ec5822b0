#pragma once

#include <flotilla/store/table.hpp>

#include "services/shipping/api/shipping.hpp"

namespace shipping::storage {

/// A shipment with what is in it and where it goes, which is nobody's business but the carrier's.
struct ShipmentRow {
    std::string order_id, user_id;
    Status status = Status::scheduled;
    Money price;
    int days = 0;
    std::vector<Step> history;
    std::vector<Line> items;
    std::optional<Address> address;
};

inline constexpr Table<ShipmentRow> shipments{"shipments"};
inline constexpr Query<Shipment, std::string> shipment_of{"FROM shipments WHERE order_id = $1"};
inline constexpr Statement<std::string, Status, std::vector<Step>> set_status{
    "UPDATE shipments SET status = $2, history = $3 WHERE order_id = $1"};

/// How often the sandbox's carrier was asked in vain.
inline constexpr Statement<std::string> count_carrier_try{
    "INSERT INTO carrier_tries (order_id, tries) VALUES ($1, 1)"
    " ON CONFLICT (order_id) DO UPDATE SET tries = carrier_tries.tries + 1"};
inline constexpr Query<std::int64_t, std::string> carrier_tries_of{
    "SELECT tries FROM carrier_tries WHERE order_id = $1"};

} // namespace shipping::storage
