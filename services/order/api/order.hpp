#pragma once

#include <flotilla/contract/contract.hpp>

/// The order service's contract.
namespace order {

using namespace flotilla;

enum class Status { pending, confirmed, cancelled };

/// How far an order has come: what `status` leaves open.
enum class Progress {
    placed,
    payment_held,       ///< the money is reserved on the card
    stock_held,         ///< and the pieces are set aside
    shipment_scheduled, ///< and the carrier takes them
    paid,               ///< the card is charged: from now on the order goes through
    confirmed,
    dispatched,
    delivered,
    cancelling, ///< what was done is being undone
    cancelled
};

/// A wish of the customer. A `price` that comes along is ignored: the catalogue's counts.
struct Line {
    std::string product_id;
    Bounded<int, 1, 1000> quantity;
};
/// Where it goes; see shipping-service.
struct Address {
    Text<2, 2> country; ///< ISO 3166-1 alpha-2, such as "DE"
    std::optional<Text<1, 200>> name, street, city;
    std::optional<Text<1, 20>> postal_code;
};
struct PlaceOrder {
    std::string user_id;
    std::vector<Line> items;
    std::optional<Text<1, 64>> payment_method; ///< a token of payment-service's POST /cards; absent: the sandbox's card
    std::optional<Address> address;            ///< absent: in the shop's own country
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
    Progress progress = Progress::placed;
    std::optional<std::string> reason; ///< why it was cancelled
    Timestamp created_at;
};
struct OrderId {
    std::string id;
};
struct CancelOrder {
    std::string id;
    std::optional<Text<1, 200>> reason;
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
    std::string order_id, user_id, reason;
};

inline constexpr ErrorCode order_not_found{"order_not_found", Kind::not_found, "Order not found"};
inline constexpr ErrorCode unknown_order{"unknown_order", Kind::invalid, "Order not found"};
inline constexpr ErrorCode user_not_found{"user_not_found", Kind::invalid, "User not found"};
inline constexpr ErrorCode product_not_found{"product_not_found", Kind::invalid, "Product {} not found"};
inline constexpr ErrorCode out_of_stock{"out_of_stock", Kind::invalid, "Product {} out of stock"};
inline constexpr ErrorCode no_items{"no_items", Kind::invalid, "An order has 1 to 100 items"};
inline constexpr ErrorCode order_cancelled{"order_cancelled", Kind::conflict, "The order was cancelled"};
inline constexpr ErrorCode order_not_held{"order_not_held", Kind::conflict,
                                          "Payment and stock are not held yet; the order is {}"};
inline constexpr ErrorCode order_dispatched{"order_dispatched", Kind::conflict,
                                            "The order is on its way and cannot be cancelled any more"};
inline constexpr ErrorCode order_being_paid{"order_being_paid", Kind::conflict,
                                            "The order is being paid just now; try again in a moment"};

inline constexpr Service service{"order-service"};

/// Places an order at the catalogue's prices and answers at once: it is PENDING, and a saga holds payment and stock,
/// schedules the shipment, charges the card and confirms it, or undoes all that and cancels it. `Prefer: wait=N` waits
/// for that. Publishes order.created, and later order.confirmed or order.cancelled.
inline constexpr Endpoint<PlaceOrder, Order> place{
    service,
    Method::post,
    "/orders",
    {.success = 201,
     .idempotent = true,
     .waits = true,
     .errors = {user_not_found, product_not_found, out_of_stock, no_items},
     .summary = "Place an order"}};
inline constexpr Endpoint<OrderId, Order> get{
    service, Method::get, "/orders/{id}", {.versioned = true, .errors = {order_not_found}, .summary = "Get an order"}};
inline constexpr Endpoint<ListOrders, std::vector<Order>> list{
    service, Method::get, "/orders", {.summary = "List a user's orders, oldest first"}};
/// Whether the order goes through: waits until payment and stock are held, 5 s unless `Prefer: wait=N` says otherwise.
inline constexpr Endpoint<OrderId, Order> confirm{service,
                                                  Method::post,
                                                  "/orders/{id}/confirm",
                                                  {.idempotent = true,
                                                   .waits = true,
                                                   .errors = {unknown_order, order_cancelled, order_not_held},
                                                   .summary = "Confirm an order"}};
/// Undoes what was done for it, a refund included, and waits for that as confirm does. Cancelling again changes
/// nothing.
inline constexpr Endpoint<CancelOrder, Order> cancel{service,
                                                     Method::post,
                                                     "/orders/{id}/cancel",
                                                     {.idempotent = true,
                                                      .waits = true,
                                                      .errors = {order_not_found, order_dispatched, order_being_paid},
                                                      .summary = "Cancel an order that has not left"}};

inline constexpr Topic<OrderPlaced> placed{"order.created", {.key = &OrderPlaced::order_id}};
inline constexpr Topic<OrderConfirmed> confirmed{"order.confirmed", {.key = &OrderConfirmed::order_id, .pubsub = true}};
inline constexpr Topic<OrderCancelled> cancelled{"order.cancelled", {.key = &OrderCancelled::order_id}};

} // namespace order
