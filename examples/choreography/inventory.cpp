#include "examples/choreography/choreography.hpp"

namespace choreography {
namespace {

constexpr Migration kMigrations[] = {{1, "0001_create_stock", R"sql(
CREATE TABLE stock (product_id TEXT PRIMARY KEY, available INTEGER NOT NULL CHECK (available >= 0));
CREATE TABLE orders_heard (order_id TEXT PRIMARY KEY, product_id TEXT NOT NULL, quantity INTEGER NOT NULL);
INSERT INTO stock (product_id, available) VALUES ('lamp', 5);
)sql"}};

constexpr Table<Stock> kStock{"stock"};
constexpr Table<OrderCreated> kHeard{"orders_heard"};
constexpr Statement<std::string, int> kTake{
    "UPDATE stock SET available = available - $2 WHERE product_id = $1 AND available >= $2"};

class Inventory {
public:
    Inventory(Database& database, Publisher<Answered>& reserved, Publisher<Answered>& out_of_stock)
        : database_(database), reserved_(reserved), out_of_stock_(out_of_stock) {}

    /// Event heard, pieces taken and answer written are one commit: whatever dies, all of it has happened or none.
    void handle_order_created(Transaction& tx, const Received<OrderCreated>& event) {
        if (!tx.try_insert(kHeard, event.event)) return; // it may come twice
        const bool taken = tx.execute(kTake, event->product_id, event->quantity) > 0;
        (taken ? reserved_ : out_of_stock_).publish(tx, {event->order_id});
    }

    task<Result<Stock>> get(Context& context, ProductId request) {
        co_return co_await must(database_.find(context, kStock, request.product_id), or_none(stock_not_found));
    }

private:
    Database& database_;
    Publisher<Answered>& reserved_;
    Publisher<Answered>& out_of_stock_;
};

} // namespace

void install_inventory(Host& host) {
    auto& stock = host.own<Inventory>(host.database(kMigrations, {kStock, kHeard, kTake}), host.publishes(reserved),
                                      host.publishes(out_of_stock));
    host.on(order_created, &Inventory::handle_order_created, stock);
    host.serve(get_stock, &Inventory::get, stock);
}

} // namespace choreography
