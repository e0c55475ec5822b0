#include "services/order/order.hpp"

#include <flotilla/aio/scope.hpp>
#include <services/order/migrations.hpp>

#include "services/order/api/order.hpp"
#include "services/order/domain/order_rules.hpp"
#include "services/order/storage/orders.hpp"
#include "services/product/api/product.hpp"
#include "services/user/api/user.hpp"

using namespace flotilla;

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
        auto prices = co_await must(current_prices(context, request.items)); // the catalogue's, in parallel
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Order> {
            auto order = storage::insert(tx, draft_order(tx.new_id(), tx.now(), request, prices));
            if (!order) return order;
            auto published = placed_.publish(tx, to_event(*order)); // outbox row, same commit
            if (!published) return published.error();
            return order;
        });
    }

    task<Result<Order>> get(Context& context, OrderId request) {
        auto order = co_await must(storage::find(context, database_, request.id));
        if (!order) co_return order_not_found;
        co_return std::move(*order);
    }

    task<Result<std::vector<Order>>> list(Context& context, ListOrders request) {
        return storage::list(context, database_, request.user_id);
    }

    task<Result<Recorded<Order>>> confirm(Context& context, OrderId request) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Order> {
            auto found = storage::find(tx, request.id);
            if (!found) return found.error();
            if (!*found) return unknown_order;
            const auto before = (*found)->status;
            auto order = confirmed_order(std::move(**found));
            if (!order || order->status == before) return order;
            if (auto stored = storage::set_status(tx, order->id, order->status); !stored) return stored.error();
            auto published = confirmed_.publish(tx, {.order_id = order->id, .user_id = order->user_id});
            if (!published) return published.error();
            return order;
        });
    }

private:
    task<Result<std::vector<Money>>> current_prices(Context& context, std::vector<Line> lines) {
        std::vector<task<Result<Money>>> lookups;
        for (const auto& line : lines)
            lookups.push_back(current_price(context, line.product_id));
        return all(context, std::move(lookups));
    }

    task<Result<Money>> current_price(Context& context, std::string product_id) {
        auto product = co_await must(calls_.call(context, product::get, {.id = product_id}),
                                     on(product::product_not_found, product_not_found.with(product_id)));
        if (!product.in_stock) co_return out_of_stock.with(product_id);
        co_return product.price;
    }

    Database& database_;
    Calls& calls_;
    Publisher<OrderPlaced>& placed_;
    Publisher<OrderConfirmed>& confirmed_;
};

} // namespace

void install(Host& host) {
    auto& orders = host.own<Orders>(host.database(migrations), host.calls({user::service, product::service}),
                                    host.publishes(placed), host.publishes(confirmed));
    host.serve(place, &Orders::place, orders);
    host.serve(get, &Orders::get, orders);
    host.serve(list, &Orders::list, orders);
    host.serve(confirm, &Orders::confirm, orders);
}

} // namespace order
