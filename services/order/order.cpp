#include "services/order/order.hpp"

#include <flotilla/aio/scope.hpp>
#include <flotilla/resilience/fallback.hpp>
#include <flotilla/saga/engine.hpp>
#include <flotilla/service/preferred_wait.hpp>
#include <services/order/migrations.hpp>

#include "services/inventory/api/inventory.hpp"
#include "services/order/checkout.hpp"
#include "services/order/domain/order_rules.hpp"
#include "services/order/storage/orders.hpp"
#include "services/payment/api/payment.hpp"
#include "services/product/api/product.hpp"
#include "services/shipping/api/shipping.hpp"
#include "services/user/api/user.hpp"

namespace order {
namespace {

using saga::Change;
using saga::Sagas;

struct Settings {
    /// How old the last known price may be that stands in while the catalogue does not answer; 0: none does.
    Bounded<int, 0, 3600> price_age_max_s = 60;
};

constexpr std::size_t kPricesKept = 10'000;
constexpr Duration kWait = std::chrono::seconds(5);
/// Lists may be older than what they are made of when that takes longer.
constexpr Duration kCatchUpMax = std::chrono::seconds(1);

struct Topics {
    Publisher<OrderPlaced>& placed;
    Publisher<OrderConfirmed>& confirmed;
    Publisher<OrderCancelled>& cancelled;
};

class Orders {
public:
    Orders(Database& database, ReadModel& list, Calls& calls, Sagas<Checkout>& checkouts, Sagas<Refund>& refunds,
           Topics topics, Metrics& metrics, Settings settings)
        : database_(database), list_(list), calls_(calls), checkouts_(checkouts), refunds_(refunds), topics_(topics),
          products_({.age_max = std::chrono::seconds(settings.price_age_max_s), .entries_max = kPricesKept}),
          stale_prices_(stale_answers(metrics, product::service.name)) {
        checkouts.define(checkout(saga::local(&Orders::finish, *this))).on_change(&Orders::follow_checkout, *this);
        refunds.define(refund(saga::local(&Orders::finish_refund, *this))).on_change(&Orders::follow_refund, *this);
    }

    task<Result<Recorded<Order>>> place(Context& context, PlaceOrder request) {
        co_await must(check_lines(request.items));
        co_await must(calls_.call(context, user::get, {.id = request.user_id}),
                      on(user::user_not_found, user_not_found));
        auto prices = co_await must(all(context, request.items, &Orders::price_of, *this)); // in parallel
        auto order = co_await must(database_.answer(context, [=, this](Transaction& tx) {
            Loaded<Order> order{.id = tx.new_id()};
            append(tx, history::orders, order, {history::placed, draft_order(order.id, tx.now(), request, prices)});
            checkouts_.start(tx, order.id, checkout_of(order.state, request));
            topics_.placed.publish(tx, {order->id, order->user_id, order->items, order->total});
            return order.state;
        }));
        if (const auto wait = preferred_wait(context)) {
            co_await must(settled(context, checkouts_, order.value().id, *wait));
            order.show(co_await must(now(context, order.value().id)));
        }
        co_return order;
    }

    task<Result<Versioned<Order>>> get(Context& context, OrderId request) {
        const auto fresh = co_await catch_up(context);
        auto order = co_await must(database_.find(context, storage::order_list, request.id));
        if (!order && !fresh) co_return fresh.error(); // it may be there
        if (!order) co_return order_not_found;
        co_return std::move(*order);
    }

    task<Result<std::vector<Order>>> list(Context& context, ListOrders request) {
        std::ignore = co_await catch_up(context); // a list that is late is better than none
        co_return co_await database_.select(context, storage::orders_of, request.user_id);
    }

    task<Result<Recorded<Order>>> confirm(Context& context, OrderId request) {
        const auto wait = preferred_wait(context).value_or(kWait);
        co_await must(settled(context, checkouts_, request.id, wait));
        co_return co_await database_.answer(context, [=](Transaction& tx) -> Result<Order> {
            const auto order = load(tx, history::orders, request.id);
            if (!order.exists()) return unknown_order;
            return held_order(order.state);
        });
    }

    task<Result<Recorded<Order>>> cancel(Context& context, CancelOrder request) {
        const auto wait = preferred_wait(context).value_or(kWait);
        const auto how = co_await must(
            database_.transact(context, [=, this](Transaction& tx) { return begin_cancellation(tx, request); }));
        if (how == Cancellation::checkout) co_await must(settled(context, checkouts_, request.id, wait));
        if (how == Cancellation::refund) co_await must(settled(context, refunds_, cancellation_id(request.id), wait));
        co_return co_await database_.answer(context, [=](Transaction& tx) -> Result<Order> {
            const auto order = load(tx, history::orders, request.id);
            if (how == Cancellation::refund && order->status == Status::confirmed &&
                order->progress != Progress::cancelling)
                return order_dispatched;
            return order.state;
        });
    }

    void dispatched(Transaction& tx, const Received<shipping::ShipmentMoved>& shipment) {
        note(tx, shipment->order_id, Progress::dispatched);
    }
    void delivered(Transaction& tx, const Received<shipping::ShipmentMoved>& shipment) {
        note(tx, shipment->order_id, Progress::delivered);
    }

private:
    /// Waits for the end of a saga. Orders from before there were sagas have none.
    template <class State>
    static task<Result<void>> settled(Context& context, Sagas<State>& sagas, std::string id, Duration wait) {
        auto view = co_await sagas.settled(context, std::move(id), wait);
        if (!view && view.error().code() != saga::saga_not_found.code) co_return std::move(view.error());
        co_return Result<void>();
    }

    /// The order as it is in the transaction's own time.
    task<Result<Order>> now(Context& context, std::string id) {
        return database_.transact(context, [id](Transaction& tx) { return load(tx, history::orders, id).state; });
    }

    /// Lets a list become as new as what was answered before. Errors: it is not, in time.
    task<Result<void>> catch_up(Context& context) {
        Context bounded(context, std::min(context.remaining() / 2, kCatchUpMax));
        co_return co_await list_.caught_up(bounded);
    }

    void note(Transaction& tx, const std::string& id, Progress to, std::optional<std::string> reason = {}) {
        auto order = load(tx, history::orders, id);
        if (order.exists()) append(tx, history::orders, order, advance(order.state, to, std::move(reason)));
    }

    // What the sagas do and tell, each in its transition's own commit.

    void follow_checkout(Transaction& tx, const Change<Checkout>& change) {
        if (change.saga.status == saga::Status::completed) return; // finish() has told
        const auto reason = change.refusal ? std::optional(change.refusal->message()) : std::nullopt;
        if (change.saga.status != saga::Status::compensated)
            return note(tx, change.saga.id, progress_of(change.saga), reason);
        announce_end(tx, change.saga.id, reason.value_or(change.saga.reason.value_or("The order was cancelled")));
    }

    Result<void> finish(Transaction& tx, Checkout& checkout) {
        auto order = load(tx, history::orders, checkout.order_id);
        append(tx, history::orders, order, {history::confirmed, {}});
        topics_.confirmed.publish(tx, {.order_id = checkout.order_id, .user_id = checkout.user_id});
        return {};
    }

    void follow_refund(Transaction& tx, const Change<Refund>& change) {
        if (change.saga.status == saga::Status::compensated) // it had left already
            note(tx, change.state.order_id, Progress::confirmed);
        else if (change.saga.status == saga::Status::running)
            note(tx, change.state.order_id, Progress::cancelling);
    }

    Result<void> finish_refund(Transaction& tx, Refund& refund) {
        announce_end(tx, refund.order_id, refund.reason);
        return {};
    }

    /// The reason that was told when it began counts.
    void announce_end(Transaction& tx, const std::string& id, std::string reason) {
        auto order = load(tx, history::orders, id);
        if (order->reason) reason = *order->reason;
        append(tx, history::orders, order, {history::cancelled, {.reason = reason}});
        topics_.cancelled.publish(tx, {.order_id = id, .user_id = order->user_id, .reason = reason});
    }

    Result<Cancellation> begin_cancellation(Transaction& tx, const CancelOrder& request) {
        const auto order = load(tx, history::orders, request.id);
        if (!order.exists()) return order_not_found;
        const std::string reason = request.reason ? std::string(*request.reason) : "Cancelled by the customer";
        auto how = cancellation_of(order.state);
        if (!how) return how;
        if (*how == Cancellation::refund)
            refunds_.start(tx, cancellation_id(request.id), {request.id, order->user_id, reason});
        if (*how != Cancellation::checkout) return how;
        if (auto asked = checkouts_.cancel(tx, request.id, reason); !asked) {
            if (asked.error().code() == saga::saga_past_pivot.code) return order_being_paid;
            if (asked.error().code() != saga::saga_not_found.code) return std::move(asked.error());
            announce_end(tx, request.id, reason);
        }
        return how;
    }

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
    ReadModel& list_;
    Calls& calls_;
    Sagas<Checkout>& checkouts_;
    Sagas<Refund>& refunds_;
    Topics topics_;
    Fallback<product::Product> products_;
    Counter& stale_prices_;
};

} // namespace

void install(Host& host) {
    auto& database =
        host.database(migrations, {storage::order_list, storage::orders_of, storage::old_orders}, storage::backfills());
    auto& calls =
        host.calls({user::service, product::service, payment::service, inventory::service, shipping::service});
    host.events({history::orders});
    auto& lists = host.projection({storage::order_lists});
    auto& engine = host.own<saga::Engine>(host, database, calls);
    auto& orders =
        host.own<Orders>(database, lists, calls, engine.sagas<Checkout>("checkout"), engine.sagas<Refund>("refund"),
                         Topics{host.publishes(placed), host.publishes(confirmed), host.publishes(cancelled)},
                         host.metrics(), host.settings<Settings>());
    host.serve(place, &Orders::place, orders);
    host.serve(get, &Orders::get, orders);
    host.serve(list, &Orders::list, orders);
    host.serve(confirm, &Orders::confirm, orders);
    host.serve(cancel, &Orders::cancel, orders);
    host.on(shipping::dispatched, &Orders::dispatched, orders);
    host.on(shipping::delivered, &Orders::delivered, orders);
}

} // namespace order
