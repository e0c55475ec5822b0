#include "services/shipping/shipping.hpp"

#include <array>

#include <services/shipping/migrations.hpp>

#include "services/order/api/order.hpp"
#include "services/shipping/api/shipping.hpp"
#include "services/shipping/domain/shipping_rules.hpp"
#include "services/shipping/storage/shipments.hpp"

namespace shipping {
namespace {

/// How long a shipment stays at a stage: a shop in a sandbox need not wait for days.
struct Settings {
    Bounded<int, 0, 2'592'000> dispatch_s = 30; ///< SCHEDULED, once the order is confirmed
    Bounded<int, 0, 2'592'000> transit_s = 30;  ///< DISPATCHED
    Bounded<int, 0, 2'592'000> delivery_s = 60; ///< IN_TRANSIT
};

struct Advance {
    std::string order_id;
    Status from = Status::scheduled;
};
inline constexpr Job<Advance> advance_shipment{"advance_shipment"};

/// By Status, who tells of it; null: nobody.
using Publishers = std::array<Publisher<ShipmentMoved>*, 5>;

class Shipments {
public:
    Shipments(Database& database, Publishers publishers, Settings settings)
        : database_(database), publishers_(publishers), settings_(settings) {}

    task<Result<Quote>> quote(Context&, AskQuote request) { co_return price_of(request.items, request.address); }

    task<Result<Recorded<Shipment>>> schedule(Context& context, ScheduleShipment request) {
        const auto quote = co_await must(price_of(request.items, request.address));
        co_await must(carrier_answers(context, request));
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Shipment> {
            if (auto known = tx.find(storage::shipment_of, request.order_id)) {
                if (known->status == Status::cancelled) return shipment_cancelled;
                return std::move(*known);
            }
            auto made = draft_shipment(request, quote, tx.now());
            tx.insert(storage::shipments, {made.order_id, made.user_id, made.status, made.price, made.days,
                                           made.history, request.items, request.address});
            entered(tx, made);
            return made;
        });
    }

    task<Result<Shipment>> get(Context& context, ShipmentId request) {
        co_return co_await must(database_.find(context, storage::shipment_of, request.order_id),
                                or_none(shipment_not_found));
    }

    task<Result<Recorded<Shipment>>> cancel(Context& context, ShipmentId request) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Shipment> {
            const auto known = tx.find(storage::shipment_of, request.order_id);
            if (!known) return refused_for_good(tx, request.order_id);
            auto after = cancelled_shipment(*known, tx.now());
            if (after && after->status != known->status) move(tx, *after);
            return after;
        });
    }

    /// The outcome of the timer commits with what it does: each stage is entered once, whenever the process ends.
    task<Result<void>> advance(Context& context, Advance job, JobTry attempt) {
        co_return co_await database_.transact(context, [=, this](Transaction& tx) {
            attempt.done(tx);
            const auto shipment = tx.find(storage::shipment_of, job.order_id);
            if (shipment && shipment->status == job.from) move(tx, advanced(*shipment, tx.now())); // else cancelled
        });
    }

    /// Nothing leaves that is not paid.
    void release(Transaction& tx, const Received<order::OrderConfirmed>& order) {
        const auto shipment = tx.find(storage::shipment_of, order->order_id);
        if (shipment && shipment->status == Status::scheduled) leave_later(tx, order->order_id, Status::scheduled);
    }

private:
    /// The sandbox's carrier: away at first for some addresses. What it is asked in vain is counted, so that it comes
    /// back whoever asks.
    task<Result<void>> carrier_answers(Context& context, const ScheduleShipment& request) {
        if (!request.address || request.address->country != kCarrierAwayAtFirst) co_return Result<void>();
        const auto tries = co_await must(database_.transact(context, [id = request.order_id](Transaction& tx) {
            tx.execute(storage::count_carrier_try, id);
            return tx.find(storage::carrier_tries_of, id).value_or(0);
        }));
        if (tries <= kTriesCarrierIsAway) co_return carrier_unavailable;
        co_return Result<void>();
    }

    /// A row that keeps a command that comes late from scheduling what was cancelled.
    static Shipment refused_for_good(Transaction& tx, const std::string& order_id) {
        auto none = never_scheduled(order_id, tx.now());
        tx.insert(storage::shipments,
                  {.order_id = order_id, .status = none.status, .history = none.history, .items = {}, .address = {}});
        return none;
    }

    void move(Transaction& tx, const Shipment& shipment) {
        tx.execute(storage::set_status, shipment.order_id, shipment.status, shipment.history);
        entered(tx, shipment);
    }

    /// What follows from a stage: it is told, and left again in time.
    void entered(Transaction& tx, const Shipment& shipment) {
        const auto& [order_id, user_id, status, price, days, history] = shipment;
        const auto stage = static_cast<std::size_t>(status);
        if (publishers_[stage]) publishers_[stage]->publish(tx, {order_id, user_id, status, days});
        if (status != Status::scheduled && moves_on(status)) leave_later(tx, order_id, status);
    }

    void leave_later(Transaction& tx, const std::string& order_id, Status status) {
        const auto stage = static_cast<std::size_t>(status);
        const std::array stays{settings_.dispatch_s, settings_.transit_s, settings_.delivery_s};
        enqueue(tx, advance_shipment, {order_id, status},
                {.key = order_id + "/" + std::to_string(stage), .delay = std::chrono::seconds(stays[stage])});
    }

    Database& database_;
    const Publishers publishers_;
    const Settings settings_;
};

} // namespace

void install(Host& host) {
    auto& database = host.database(migrations, {storage::shipments, storage::shipment_of, storage::set_status,
                                                storage::count_carrier_try, storage::carrier_tries_of});
    const Publishers publishers{&host.publishes(scheduled), &host.publishes(dispatched), nullptr,
                                &host.publishes(delivered), &host.publishes(cancelled)};
    auto& shipments = host.own<Shipments>(database, publishers, host.settings<Settings>());
    host.serve(quote, &Shipments::quote, shipments);
    host.serve(schedule, &Shipments::schedule, shipments);
    host.serve(get, &Shipments::get, shipments);
    host.serve(cancel, &Shipments::cancel, shipments);
    host.on(order::confirmed, &Shipments::release, shipments);
    host.perform(advance_shipment, &Shipments::advance, shipments);
}

} // namespace shipping
