#pragma once

#include <flotilla/contract/contract.hpp>

/// The inventory service's contract: how many pieces of a product there are, and for whom some are set aside.
namespace inventory {

using namespace flotilla;

/// What is wanted of one product. Lines of the same product add up.
struct Line {
    std::string product_id;
    Bounded<int, 1, 1000> quantity;
};
struct Item {
    std::string product_id;
    int quantity = 0;
    bool operator==(const Item&) const = default;
};

/// May also be sent as the bare list of items.
struct CheckStock {
    std::vector<Line> items;
};
struct CheckedItem {
    std::string product_id;
    int quantity = 0;
    std::int64_t available = 0; ///< pieces that nobody has reserved
};
struct Availability {
    bool available = false; ///< of each product as much as is wanted
    std::vector<CheckedItem> items;
};

enum class State {
    held,      ///< the pieces are set aside until `expires_at`
    committed, ///< sold: the pieces have left the stock
    released,  ///< given back, sold or not, or refused before it was made: for good
    expired, ///< nobody decided in time, the pieces are given back; may be held or committed again while there are some
};
/// The pieces of one order.
struct Reservation {
    std::string order_id;
    std::vector<Item> items; ///< one per product, by its id; none where it was released before it was made
    State state = State::held;
    Timestamp created_at;
    std::optional<Timestamp> expires_at;  ///< while it is HELD
    std::optional<Timestamp> finished_at; ///< when it no longer was
};
struct Reserve {
    Text<1, 200> order_id;
    std::vector<Line> items;
};
struct OrderId {
    std::string order_id;
};

struct Stock {
    std::string product_id;
    std::int64_t available = 0; ///< pieces that may be reserved
    std::int64_t reserved = 0;  ///< pieces set aside, neither sold nor given back
};
struct ProductId {
    std::string product_id;
};
struct ListStock {
    std::optional<Bounded<int, 1, 100>> limit; ///< 20 by default
    std::optional<std::string> after;          ///< `next` of the page before
};
struct StockPage {
    std::vector<Stock> items;        ///< by product id
    std::optional<std::string> next; ///< absent on the last page
};
struct Restock {
    std::string product_id;
    Bounded<int, 1, 1'000'000> quantity;
};

struct Reserved {
    std::string order_id;
    std::vector<Item> items;
};
struct Released {
    std::string order_id;
    std::vector<Item> items;
    bool expired = false; ///< nobody asked for it: its time was over
};
/// A reservation was refused; what is named is the first product of which there were too few.
struct OutOfStock {
    std::string order_id, product_id;
    int quantity = 0;
    std::int64_t available = 0;
};
/// Of two of one product the one with the higher version is the newer.
struct StockChanged {
    std::string product_id;
    std::int64_t available = 0;
    std::int64_t version = 0;
};

inline constexpr ErrorCode no_items{"no_items", Kind::invalid, "There must be 1 to 100 items"};
inline constexpr ErrorCode stock_not_found{"stock_not_found", Kind::not_found, "No stock is kept of this product"};
inline constexpr ErrorCode product_unknown{"product_unknown", Kind::unprocessable, "No stock is kept of product {}"};
/// It may have been made a moment ago: with Retry-After.
inline constexpr ErrorCode stock_unknown{"stock_unknown", Kind::unprocessable,
                                         "No stock is known of product {} yet; try again"};
/// Says which product, how many are wanted and how many there are.
inline constexpr ErrorCode out_of_stock{"out_of_stock", Kind::conflict, "Product {} out of stock"};
inline constexpr ErrorCode reservation_not_found{"reservation_not_found", Kind::not_found, "Reservation not found"};
inline constexpr ErrorCode reservation_released{"reservation_released", Kind::conflict,
                                                "The reservation was released, for good"};
inline constexpr ErrorCode reservation_differs{"reservation_differs", Kind::conflict,
                                               "The order has a reservation of other items"};

inline constexpr Service service{"inventory-service"};

/// Reserves nothing: what is there now may be gone in a moment.
inline constexpr Endpoint<CheckStock, Availability> check{
    service,
    Method::post,
    "/check",
    {.errors = {no_items, product_unknown}, .summary = "Ask whether there is enough of each product"}};

/// All items or none. Repeated, it answers with the reservation there is. Publishes inventory.reserved and
/// inventory.changed, or inventory.out-of-stock.
inline constexpr Endpoint<Reserve, Reservation> reserve{
    service,
    Method::post,
    "/reservations",
    {.success = 201,
     .idempotent = true,
     .errors = {no_items, stock_unknown, out_of_stock, reservation_released, reservation_differs},
     .summary = "Set an order's pieces aside"}};
inline constexpr Endpoint<OrderId, Reservation> get_reservation{
    service,
    Method::get,
    "/reservations/{orderId}",
    {.versioned = true, .errors = {reservation_not_found}, .summary = "Get an order's reservation"}};
/// The pieces are sold. One that has expired is held again first, if there is still enough.
inline constexpr Endpoint<OrderId, Reservation> commit{
    service,
    Method::post,
    "/reservations/{orderId}/commit",
    {.idempotent = true,
     .errors = {reservation_not_found, reservation_released, out_of_stock},
     .summary = "Take an order's pieces out of the stock"}};
/// Gives the pieces back, also those that were sold but have not left. One that was never made is released as well:
/// from then on it cannot be made any more. Publishes inventory.released and inventory.changed.
inline constexpr Endpoint<OrderId, Reservation> release{service,
                                                        Method::post,
                                                        "/reservations/{orderId}/release",
                                                        {.idempotent = true, .summary = "Give an order's pieces back"}};

inline constexpr Endpoint<ListStock, StockPage> list_stock{
    service, Method::get, "/stock", {.summary = "List the stock, page by page"}};
inline constexpr Endpoint<ProductId, Stock> get_stock{
    service,
    Method::get,
    "/stock/{productId}",
    {.versioned = true, .errors = {stock_not_found}, .summary = "Get a product's stock"}};
/// Publishes inventory.changed.
inline constexpr Endpoint<Restock, Stock> restock{
    service,
    Method::post,
    "/stock/{productId}/restock",
    {.idempotent = true, .errors = {stock_not_found}, .summary = "Add pieces of a product"}};

inline constexpr Topic<Reserved> reserved{"inventory.reserved", {.key = &Reserved::order_id}};
inline constexpr Topic<Released> released{"inventory.released", {.key = &Released::order_id}};
inline constexpr Topic<OutOfStock> ran_out{"inventory.out-of-stock", {.key = &OutOfStock::order_id}};
inline constexpr Topic<StockChanged> changed{"inventory.changed", {.key = &StockChanged::product_id}};

} // namespace inventory
