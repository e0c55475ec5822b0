#pragma once

#include <flotilla/contract/contract.hpp>

/// The shipping service's contract. A shipment has its order's id, which the caller gives: so it can be cancelled by
/// who does not know whether it was ever scheduled.
namespace shipping {

using namespace flotilla;

/// Where a shipment is. It only goes down this list, and from SCHEDULED to CANCELLED.
enum class Status { scheduled, dispatched, in_transit, delivered, cancelled };

struct Line {
    std::string product_id;
    Bounded<int, 1, 1000> quantity;
    std::optional<Bounded<int, 1, 100'000>> weight_g; ///< of one piece; 500 by default
};
struct Address {
    Text<2, 2> country; ///< ISO 3166-1 alpha-2, such as "DE"
    std::optional<Text<1, 200>> name, street, city;
    std::optional<Text<1, 20>> postal_code;
};
struct AskQuote {
    std::vector<Line> items;
    std::optional<Address> address; ///< absent: in the shop's own country
};
struct Quote {
    Money price;
    int days = 0; ///< until it is there, as a rule
};
struct ScheduleShipment {
    Text<1, 200> order_id, user_id;
    std::vector<Line> items;
    std::optional<Address> address; ///< as a quote's
};
struct Step {
    Status status = Status::scheduled;
    Timestamp at;
};
struct Shipment {
    std::string order_id, user_id;
    Status status = Status::scheduled;
    Money price;
    int days = 0;
    std::vector<Step> history; ///< oldest first; the last one is `status`
};
struct ShipmentId {
    std::string order_id;
};
struct ShipmentMoved {
    std::string order_id, user_id;
    Status status = Status::scheduled;
    int days = 0;
};

inline constexpr ErrorCode no_items{"no_items", Kind::invalid, "A shipment has 1 to 100 items"};
inline constexpr ErrorCode address_not_served{"address_not_served", Kind::invalid, "We do not ship to {}"};
inline constexpr ErrorCode carrier_unavailable{"carrier_unavailable", Kind::unavailable,
                                               "The carrier takes no shipments just now; try again"};
inline constexpr ErrorCode shipment_not_found{"shipment_not_found", Kind::not_found, "Shipment not found"};
inline constexpr ErrorCode shipment_cancelled{"shipment_cancelled", Kind::conflict, "The shipment was cancelled"};
inline constexpr ErrorCode already_dispatched{"already_dispatched", Kind::conflict,
                                              "The shipment is on its way and cannot be cancelled any more"};

inline constexpr Service service{"shipping-service"};

inline constexpr Endpoint<AskQuote, Quote> quote{
    service, Method::post, "/quotes", {.errors = {no_items, address_not_served}, .summary = "Say what shipping costs"}};
/// Again it answers with the shipment as it is. Publishes shipping.scheduled, and later what becomes of it.
inline constexpr Endpoint<ScheduleShipment, Shipment> schedule{
    service,
    Method::post,
    "/shipments",
    {.success = 201,
     .idempotent = true,
     .errors = {no_items, address_not_served, carrier_unavailable, shipment_cancelled},
     .summary = "Schedule an order's shipment"}};
inline constexpr Endpoint<ShipmentId, Shipment> get{
    service,
    Method::get,
    "/shipments/{orderId}",
    {.errors = {shipment_not_found}, .summary = "Get an order's shipment with its history"}};
/// Cancels what has not left, also before it was ever scheduled. Publishes shipping.cancelled.
inline constexpr Endpoint<ShipmentId, Shipment> cancel{
    service,
    Method::post,
    "/shipments/{orderId}/cancel",
    {.idempotent = true, .errors = {already_dispatched}, .summary = "Cancel an order's shipment"}};

inline constexpr Topic<ShipmentMoved> scheduled{"shipping.scheduled", {.key = &ShipmentMoved::order_id}};
inline constexpr Topic<ShipmentMoved> dispatched{"shipping.dispatched", {.key = &ShipmentMoved::order_id}};
inline constexpr Topic<ShipmentMoved> delivered{"shipping.delivered", {.key = &ShipmentMoved::order_id}};
inline constexpr Topic<ShipmentMoved> cancelled{"shipping.cancelled", {.key = &ShipmentMoved::order_id}};

} // namespace shipping
