#pragma once

#include <flotilla/contract/aggregate.hpp>

#include "services/order/api/order.hpp"

/// What may happen to an order, as it is stored for ever. An order is what has happened to it.
namespace order::history {

struct Placed {
    std::string id, user_id;
    std::vector<Item> items;
    Money total;
    Timestamp placed_at;
};
/// It came a step further, or back from a cancellation that was not possible.
struct Advanced {
    Progress progress;
    std::optional<std::string> reason; ///< for the customer: why it is being cancelled
};
struct Confirmed {};
struct Cancelled {
    std::string reason;
};

inline constexpr EventType<Placed> placed{"order.placed"};
inline constexpr EventType<Advanced> advanced{"order.advanced"};
inline constexpr EventType<Confirmed> confirmed{"order.confirmed"};
inline constexpr EventType<Cancelled> cancelled{"order.cancelled"};

void apply(Order& order, const Placed& event);
void apply(Order& order, const Advanced& event);
void apply(Order& order, const Confirmed& event);
void apply(Order& order, const Cancelled& event);

inline constexpr Aggregate<Order> orders{"order", placed, advanced, confirmed, cancelled};

} // namespace order::history
