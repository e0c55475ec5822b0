#pragma once

#include <flotilla/contract/contract.hpp>

/// The order service's contract.
namespace order {

using namespace flotilla;

enum class Status { pending, confirmed, cancelled };

/// A wish of the customer. A `price` that comes along is ignored: the catalogue's counts.
struct Line {
    std::string product_id;
    Bounded<int, 1, 1000> quantity;
};
struct PlaceOrder {
    std::string user_id;
    std::vector<Line> items;
};
struct Item {
    std::string product_id;
    int quantity = 0;
    Money price; ///< of one piece, when the order was placed
    /// When the catalogue last gave that price, if it did not answer when the order was placed.
    std::optional<Timestamp> price_as_of;
};
struct Order {
    std::string id, user_id;
    std::vector<Item> items;
    Money total;
    Status status = Status::pending;
    Timestamp created_at;
};
struct OrderId {
    std::string id;
};
struct ListOrders {
    std::string user_id;
};
struct OrderPlaced {
    std::string order_id, user_id;
    std::vector<Item> items;
    Money total;
};
struct OrderConfirmed {
    std::string order_id, user_id;
};
struct OrderCancelled {
    std::string order_id, user_id;
    std::string reason; ///< for the customer
};

inline constexpr ErrorCode order_not_found{"order_not_found", Kind::not_found, "Order not found"};
inline constexpr ErrorCode unknown_order{"unknown_order", Kind::invalid, "Order not found"};
inline constexpr ErrorCode user_not_found{"user_not_found", Kind::invalid, "User not found"};
inline constexpr ErrorCode product_not_found{"product_not_found", Kind::invalid, "Product {} not found"};
inline constexpr ErrorCode out_of_stock{"out_of_stock", Kind::invalid, "Product {} out of stock"};
inline constexpr ErrorCode no_items{"no_items", Kind::invalid, "An order has 1 to 100 items"};
inline constexpr ErrorCode order_cancelled{"order_cancelled", Kind::conflict, "The order was cancelled"};

inline constexpr Service service{"order-service"};

/// Places an order at the catalogue's prices; it is PENDING until confirmed. Publishes order.created.
inline constexpr Endpoint<PlaceOrder, Order> place{
    service,
    Method::post,
    "/orders",
    {.success = 201,
     .idempotent = true,
     .errors = {user_not_found, product_not_found, out_of_stock, no_items},
     .summary = "Place an order"}};
inline constexpr Endpoint<OrderId, Order> get{
    service, Method::get, "/orders/{id}", {.errors = {order_not_found}, .summary = "Get an order"}};
inline constexpr Endpoint<ListOrders, std::vector<Order>> list{
    service, Method::get, "/orders", {.summary = "List a user's orders, oldest first"}};
/// Confirms a pending order; confirming again changes nothing. Publishes order.confirmed.
inline constexpr Endpoint<OrderId, Order> confirm{
    service,
    Method::post,
    "/orders/{id}/confirm",
    {.idempotent = true, .errors = {unknown_order, order_cancelled}, .summary = "Confirm an order"}};

inline constexpr Topic<OrderPlaced> placed{"order.created", {.key = &OrderPlaced::order_id}};
inline constexpr Topic<OrderConfirmed> confirmed{"order.confirmed", {.key = &OrderConfirmed::order_id, .pubsub = true}};
inline constexpr Topic<OrderCancelled> cancelled{"order.cancelled", {.key = &OrderCancelled::order_id}};

} // namespace order
