#include "examples/choreography/choreography.hpp"

namespace choreography {
namespace {

constexpr Migration kMigrations[] = {{1, "0001_create_orders", R"sql(
CREATE TABLE orders (id TEXT PRIMARY KEY, product_id TEXT NOT NULL, quantity INTEGER NOT NULL, status TEXT NOT NULL);
)sql"}};

constexpr Table<Order> kOrders{"orders"};
/// Who has decided first has decided.
constexpr Statement<std::string, Status> kDecide{"UPDATE orders SET status = $2 WHERE id = $1 AND status = 'PENDING'"};

class Orders {
public:
    Orders(Database& database, Publisher<OrderCreated>& created) : database_(database), created_(created) {}

    task<Result<Order>> place(Context& context, PlaceOrder request) {
        co_return co_await database_.transact(context, [=, this](Transaction& tx) {
            const Order order{.id = tx.new_id(), .product_id = request.product_id, .quantity = request.quantity};
            tx.insert(kOrders, order);
            created_.publish(tx, {order.id, order.product_id, order.quantity});
            return order;
        });
    }

    task<Result<Order>> get(Context& context, OrderId request) {
        co_return co_await must(database_.find(context, kOrders, request.id), or_none(order_not_found));
    }

    void confirm(Transaction& tx, const Received<Answered>& event) {
        tx.execute(kDecide, event->order_id, Status::confirmed);
    }
    void cancel(Transaction& tx, const Received<Answered>& event) {
        tx.execute(kDecide, event->order_id, Status::cancelled);
    }

private:
    Database& database_;
    Publisher<OrderCreated>& created_;
};

} // namespace

void install_orders(Host& host) {
    auto& all = host.own<Orders>(host.database(kMigrations, {kOrders, kDecide}), host.publishes(order_created));
    host.serve(place, &Orders::place, all);
    host.serve(get_order, &Orders::get, all);
    host.on(reserved, &Orders::confirm, all);
    host.on(out_of_stock, &Orders::cancel, all);
}

} // namespace choreography
