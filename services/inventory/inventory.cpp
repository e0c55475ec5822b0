#include "services/inventory/inventory.hpp"

#include <algorithm>

#include <flotilla/contract/page.hpp>
#include <services/inventory/migrations.hpp>

#include "services/inventory/api/inventory.hpp"
#include "services/inventory/domain/stock_rules.hpp"
#include "services/inventory/storage/inventory.hpp"
#include "services/product/api/product.hpp"

namespace inventory {
namespace {

using namespace std::chrono_literals;

struct Settings {
    /// Pieces of a new product that is said to be in stock.
    Bounded<int, 0, 1'000'000> initial_stock = 100;
    /// How long pieces are set aside before somebody has decided.
    Bounded<int, 1, 86'400> hold_s = 900;
    /// How long a finished reservation still answers repeated and late commands: longer than any saga may take.
    Bounded<int, 1, 3650> keep_days = 90;
};

struct Events {
    Publisher<Reserved>& reserved;
    Publisher<Released>& released;
    Publisher<OutOfStock>& ran_out;
    Publisher<StockChanged>& changed;
};

/// Ends reservations whose time is over and forgets old ones; each round enqueues the next.
struct Sweep {};
inline constexpr Job<Sweep> sweep{"sweep_reservations"};
/// Of each, at most, in one round: no reservation waits long for it.
constexpr int kSweptAtOnce = 100;

constexpr int kDefaultPage = 20;

class Inventory {
public:
    Inventory(Database& database, Events events, Settings settings)
        : database_(database), events_(events), initial_stock_(settings.initial_stock),
          hold_(std::chrono::seconds(settings.hold_s)), keep_(std::chrono::days(settings.keep_days)) {}

    void open(Transaction& tx, const Received<product::ProductCreated>& event) {
        const Versioned<Stock> stock{
            {.product_id = event->product_id, .available = event->in_stock ? initial_stock_ : 0}};
        if (tx.try_insert(storage::stock, stock)) events_.changed.publish(tx, change_of(stock));
    }

    task<Result<Availability>> check(Context& context, CheckStock request) {
        co_await must(check_lines(request.items));
        Availability answer{.available = true};
        for (const auto& item : items_of(request.items)) {
            const auto stock = co_await must(database_.find(context, storage::stock, item.product_id),
                                             or_none(product_unknown.with(item.product_id)));
            answer.items.push_back({item.product_id, item.quantity, stock.value.available});
            answer.available = answer.available && stock.value.available >= item.quantity;
        }
        co_return answer;
    }

    task<Result<Recorded<Reservation>>> reserve(Context& context, Reserve request) {
        co_await must(check_lines(request.items));
        const auto items = items_of(request.items);
        auto reserved = co_await database_.answer(
            context, [=, this](Transaction& tx) { return hold(tx, request.order_id, items); });
        if (!reserved && reserved.error().code() == out_of_stock.code) { // rolled back: told in a commit of its own
            co_await must(
                database_.transact(context, [=, this](Transaction& tx) { tell(tx, request.order_id, items); }));
        }
        co_return reserved;
    }

    task<Result<Versioned<Reservation>>> get_reservation(Context& context, OrderId request) {
        co_return co_await must(database_.find(context, storage::reservations, request.order_id),
                                or_none(reservation_not_found));
    }

    task<Result<Recorded<Reservation>>> commit(Context& context, OrderId request) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Reservation> {
            auto found = tx.find(storage::reservations, request.order_id);
            if (found && found->value.state == State::expired) {
                if (auto again = hold(tx, request.order_id, found->value.items); !again) return again;
                found = tx.find(storage::reservations, request.order_id);
            }
            if (!found) return reservation_not_found;
            if (found->value.state == State::released) return reservation_released;
            if (found->value.state == State::committed) return found->value;
            if (auto sold = move(tx, found->value.items, kSell); !sold) return sold.error();
            return finish(tx, *found, State::committed);
        });
    }

    task<Result<Recorded<Reservation>>> release(Context& context, OrderId request) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Reservation> {
            const auto found = tx.find(storage::reservations, request.order_id);
            if (!found) return never_made(tx, request.order_id);
            if (found->value.state == State::released) return found->value;
            if (found->value.state == State::expired) return finish(tx, *found, State::released);
            return give_back(tx, *found, State::released);
        });
    }

    task<Result<StockPage>> list_stock(Context& context, ListStock request) {
        const int limit = request.limit.value_or(kDefaultPage);
        auto items =
            co_await must(database_.select(context, storage::stock_after, request.after.value_or(""), limit + 1));
        co_return page_of<StockPage>(std::move(items), static_cast<std::size_t>(limit), &Stock::product_id);
    }

    task<Result<Versioned<Stock>>> get_stock(Context& context, ProductId request) {
        co_return co_await must(database_.find(context, storage::stock, request.product_id), or_none(stock_not_found));
    }

    task<Result<Recorded<Stock>>> restock(Context& context, Restock request) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Stock> {
            auto stock = tx.find(storage::stock, request.product_id);
            if (!stock) return stock_not_found;
            stock->value.available += request.quantity;
            store(tx, *stock);
            return stock->value;
        });
    }

    task<Result<void>> sweep(Context& context, Sweep, JobTry attempt) {
        co_return co_await database_.transact(context, [=, this](Transaction& tx) -> Result<void> {
            const auto due = tx.select(storage::due, tx.now(), kSweptAtOnce);
            for (const auto& reservation : due) {
                if (auto ended = give_back(tx, reservation, State::expired); !ended) return ended.error();
            }
            const auto forgotten = tx.execute(storage::forget, tx.now() - keep_, kSweptAtOnce);
            const bool more = due.size() == kSweptAtOnce || forgotten == kSweptAtOnce;
            enqueue(tx, inventory::sweep, {}, {.delay = more ? Duration() : until_next_due(tx)});
            attempt.done(tx);
            return {};
        });
    }

private:
    static StockChanged change_of(const Versioned<Stock>& stock) {
        return {stock.value.product_id, stock.value.available, stock.version};
    }

    void store(Transaction& tx, Versioned<Stock> stock) {
        stock.version = tx.update(storage::stock, stock, stock.version);
        events_.changed.publish(tx, change_of(stock));
    }

    /// All items or an error, which ends the transaction. Errors: stock_unknown, out_of_stock.
    Result<void> move(Transaction& tx, const std::vector<Item>& items, Move how) {
        for (const auto& item : items) {
            const auto stock = tx.find(storage::stock, item.product_id);
            if (!stock) return stock_unknown.with(item.product_id).with_retry_after(1s);
            const auto after = moved(stock->value, item.quantity, how);
            if (!after) return after.error();
            if (how.available != 0)
                store(tx, {*after, stock->version});
            else
                tx.update(storage::stock, {*after, stock->version});
        }
        return {};
    }

    /// Errors: those of move() and check_repeated().
    Result<Reservation> hold(Transaction& tx, const std::string& order_id, const std::vector<Item>& items) {
        const auto found = tx.find(storage::reservations, order_id);
        if (found) {
            if (auto fine = check_repeated(found->value, items); !fine) return fine.error();
            if (found->value.state != State::expired) return found->value;
        }
        if (auto taken = move(tx, items, kReserve); !taken) return taken.error();
        const Reservation held{
            .order_id = order_id, .items = items, .created_at = tx.now(), .expires_at = tx.now() + hold_};
        if (found)
            tx.update(storage::reservations, {held, found->version});
        else
            tx.insert(storage::reservations, {held});
        events_.reserved.publish(tx, {order_id, items});
        return held;
    }

    static Result<Reservation> never_made(Transaction& tx, const std::string& order_id) {
        const Reservation released{
            .order_id = order_id, .state = State::released, .created_at = tx.now(), .finished_at = tx.now()};
        tx.insert(storage::reservations, {released});
        return released;
    }

    Result<Reservation> give_back(Transaction& tx, const Versioned<Reservation>& taken, State state) {
        const auto& [order_id, items, was, created_at, expires_at, finished_at] = taken.value;
        if (auto given = move(tx, items, was == State::committed ? kTakeBack : kGiveBack); !given) return given.error();
        events_.released.publish(tx, {order_id, items, state == State::expired});
        return finish(tx, taken, state);
    }

    static Reservation finish(Transaction& tx, Versioned<Reservation> reservation, State state) {
        reservation.value.state = state;
        reservation.value.expires_at.reset();
        reservation.value.finished_at = tx.now();
        tx.update(storage::reservations, reservation);
        return reservation.value;
    }

    /// What there is too little of, as it is now.
    void tell(Transaction& tx, const std::string& order_id, const std::vector<Item>& items) {
        for (const auto& item : items) {
            const auto stock = tx.find(storage::stock, item.product_id);
            if (!stock || stock->value.available >= item.quantity) continue;
            return events_.ran_out.publish(tx, {order_id, item.product_id, item.quantity, stock->value.available});
        }
    }

    /// Nothing that is held from now on is due before that.
    Duration until_next_due(Transaction& tx) const {
        const auto next = tx.find(storage::next_due);
        return next ? std::clamp<Duration>(*next - tx.now(), 1s, hold_) : hold_;
    }

    Database& database_;
    const Events events_;
    const int initial_stock_;
    const Duration hold_, keep_;
};

/// The first round of all.
Result<BackfillStep> begin_sweeping(Transaction& tx, const std::string&) {
    enqueue(tx, sweep, {}, {.key = "first"});
    return BackfillStep{};
}
constexpr Backfill kBackfills[] = {{1, "begin_sweeping", begin_sweeping}};

} // namespace

void install(Host& host) {
    auto& database = host.database(
        migrations,
        {storage::stock, storage::reservations, storage::stock_after, storage::due, storage::next_due, storage::forget},
        kBackfills);
    const Events events{host.publishes(reserved), host.publishes(released), host.publishes(ran_out),
                        host.publishes(changed)};
    auto& inventory = host.own<Inventory>(database, events, host.settings<Settings>());
    host.on(product::created, &Inventory::open, inventory);
    host.perform(sweep, &Inventory::sweep, inventory);
    host.serve(check, &Inventory::check, inventory);
    host.serve(reserve, &Inventory::reserve, inventory);
    host.serve(get_reservation, &Inventory::get_reservation, inventory);
    host.serve(commit, &Inventory::commit, inventory);
    host.serve(release, &Inventory::release, inventory);
    host.serve(list_stock, &Inventory::list_stock, inventory);
    host.serve(get_stock, &Inventory::get_stock, inventory);
    host.serve(restock, &Inventory::restock, inventory);
}

} // namespace inventory
