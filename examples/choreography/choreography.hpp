#pragma once

#include <flotilla/contract/contract.hpp>
#include <flotilla/service/host.hpp>

/// Two services that bring an order to its end and have nobody who leads them: each hears what the other has done.
/// docs/guides/saga-or-choreography.md says when this is the right thing, and when a saga is.
namespace choreography {

using namespace flotilla;

enum class Status { pending, confirmed, cancelled };

struct PlaceOrder {
    std::string product_id;
    Bounded<int, 1, 1000> quantity;
};
struct Order {
    std::string id, product_id;
    int quantity = 0;
    Status status = Status::pending;
};
struct OrderId {
    std::string id;
};
struct Stock {
    std::string product_id;
    int available = 0;
};
struct ProductId {
    std::string product_id;
};

struct OrderCreated {
    std::string order_id, product_id;
    int quantity = 0;
};
/// What the inventory has to say about an order.
struct Answered {
    std::string order_id;
};

inline constexpr ErrorCode order_not_found{"order_not_found", Kind::not_found, "Order not found"};
inline constexpr ErrorCode stock_not_found{"stock_not_found", Kind::not_found, "No stock is kept of this product"};

inline constexpr Service orders{"choreography-orders"};
inline constexpr Endpoint<PlaceOrder, Order> place{orders, Method::post, "/orders", {.success = 201}};
inline constexpr Endpoint<OrderId, Order> get_order{orders, Method::get, "/orders/{id}", {.errors = {order_not_found}}};

inline constexpr Service inventory{"choreography-inventory"};
inline constexpr Endpoint<ProductId, Stock> get_stock{
    inventory, Method::get, "/stock/{productId}", {.errors = {stock_not_found}}};

inline constexpr Topic<OrderCreated> order_created{"order.created", {.key = &OrderCreated::order_id}};
inline constexpr Topic<Answered> reserved{"inventory.reserved", {.key = &Answered::order_id}};
inline constexpr Topic<Answered> out_of_stock{"inventory.out-of-stock", {.key = &Answered::order_id}};

void install_orders(Host& host);
/// Begins with five lamps.
void install_inventory(Host& host);

} // namespace choreography
