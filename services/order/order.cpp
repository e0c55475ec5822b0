#include "services/order/order.hpp"

#include <flotilla/aio/scope.hpp>
#include <flotilla/resilience/fallback.hpp>
#include <services/order/migrations.hpp>

#include "services/order/api/order.hpp"
#include "services/order/domain/order_rules.hpp"
#include "services/order/storage/orders.hpp"
#include "services/product/api/product.hpp"
#include "services/user/api/user.hpp"

namespace order {
namespace {

struct Settings {
    /// How old the last known price may be that stands in while the catalogue does not answer; 0: none does.
    Bounded<int, 0, 3600> price_age_max_s = 60;
};

constexpr std::size_t kPricesKept = 10'000;

class Orders {
public:
    Orders(Database& database, Calls& calls, Publisher<OrderPlaced>& placed, Publisher<OrderConfirmed>& confirmed,
           Metrics& metrics, Settings settings)
        : database_(database), calls_(calls), placed_(placed), confirmed_(confirmed),
          products_({.age_max = std::chrono::seconds(settings.price_age_max_s), .entries_max = kPricesKept}),
          stale_prices_(stale_answers(metrics, product::service.name)) {}

    task<Result<Recorded<Order>>> place(Context& context, PlaceOrder request) {
        co_await must(check_lines(request.items));
        co_await must(calls_.call(context, user::get, {.id = request.user_id}),
                      on(user::user_not_found, user_not_found));
        auto prices = co_await must(all(context, request.items, &Orders::price_of, *this)); // in parallel
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
    /// The catalogue's; while it does not answer, the last that it gave. That something is sold out is believed only
    /// when the catalogue says so now: what was refused for it would be lost, and it may be there again.
    task<Result<Price>> price_of(Context& context, Line line) {
        const auto ask = [&](Context& own) { return look_up(own, line.product_id); };
        auto product = co_await must(products_.call(context, line.product_id, ask),
                                     on(product::product_not_found, product_not_found.with(line.product_id)));
        if (!product.value.in_stock && product.stale()) co_return std::move(*product.failed);
        if (!product.value.in_stock) co_return out_of_stock.with(line.product_id);
        if (!product.stale()) co_return Price{product.value.price, {}};
        stale_prices_.add();
        co_return Price{product.value.price, context.world().now() - product.age};
    }

    /// Half of the time is left for the order without it.
    task<Result<product::Product>> look_up(Context& context, std::string id) {
        Context bounded(context, context.remaining() / 2);
        co_return co_await calls_.call(bounded, product::get, {.id = std::move(id)});
    }

    Database& database_;
    Calls& calls_;
    Publisher<OrderPlaced>& placed_;
    Publisher<OrderConfirmed>& confirmed_;
    Fallback<product::Product> products_;
    Counter& stale_prices_;
};

} // namespace

void install(Host& host) {
    auto& orders = host.own<Orders>(host.database(migrations, {storage::orders, storage::orders_of}),
                                    host.calls({user::service, product::service}), host.publishes(placed),
                                    host.publishes(confirmed), host.metrics(), host.settings<Settings>());
    host.publishes(cancelled);
    host.serve(place, &Orders::place, orders);
    host.serve(get, &Orders::get, orders);
    host.serve(list, &Orders::list, orders);
    host.serve(confirm, &Orders::confirm, orders);
}

} // namespace order
