#include "services/order/order.hpp"

#include <flotilla/aio/scope.hpp>
#include <services/order/migrations.hpp>

#include "services/order/api/order.hpp"
#include "services/order/domain/order_rules.hpp"
#include "services/order/storage/orders.hpp"
#include "services/product/api/product.hpp"
#include "services/user/api/user.hpp"

namespace order {
namespace {

class Orders {
public:
    Orders(Database& database, Calls& calls, Publisher<OrderPlaced>& placed, Publisher<OrderConfirmed>& confirmed)
        : database_(database), calls_(calls), placed_(placed), confirmed_(confirmed) {}

    task<Result<Recorded<Order>>> place(Context& context, PlaceOrder request) {
        co_await must(check_lines(request.items));
        co_await must(calls_.call(context, user::get, {.id = request.user_id}),
                      on(user::user_not_found, user_not_found));
        auto prices = co_await must(all(context, request.items, &Orders::current_price, *this)); // in parallel
        co_return co_await database_.answer(context, [=, this](Transaction& tx) {
            auto order = draft_order(tx.new_id(), tx.now(), request, prices);
            tx.insert(storage::orders, order);
            placed_.publish(tx, {order.id, order.user_id, order.items, order.total}); // outbox row, same commit
            return order;
        });
    }

    task<Result<Order>> get(Context& context, OrderId request) {
        co_return co_await must(database_.find(context, storage::orders, request.id), or_none(order_not_found));
    }

    task<Result<std::vector<Order>>> list(Context& context, ListOrders request) {
        return database_.select(context, storage::orders_of, request.user_id);
    }

    task<Result<Recorded<Order>>> confirm(Context& context, OrderId request) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Order> {
            const auto order = tx.find(storage::orders, request.id);
            if (!order) return unknown_order;
            auto after = confirmed_order(*order);
            if (!after || after->status == order->status) return after;
            tx.update(storage::orders, *after);
            confirmed_.publish(tx, {.order_id = order->id, .user_id = order->user_id});
            return after;
        });
    }

private:
    task<Result<Money>> current_price(Context& context, Line line) {
        auto product = co_await must(calls_.call(context, product::get, {.id = line.product_id}),
                                     on(product::product_not_found, product_not_found.with(line.product_id)));
        if (!product.in_stock) co_return out_of_stock.with(line.product_id);
        co_return product.price;
    }

    Database& database_;
    Calls& calls_;
    Publisher<OrderPlaced>& placed_;
    Publisher<OrderConfirmed>& confirmed_;
};

} // namespace

void install(Host& host) {
    auto& orders = host.own<Orders>(host.database(migrations, {storage::orders, storage::orders_of}),
                                    host.calls({user::service, product::service}), host.publishes(placed),
                                    host.publishes(confirmed));
    host.serve(place, &Orders::place, orders);
    host.serve(get, &Orders::get, orders);
    host.serve(list, &Orders::list, orders);
    host.serve(confirm, &Orders::confirm, orders);
}

} // namespace order
