#include "services/order/storage/orders.hpp"

#include <array>

#include <flotilla/store/event_store.hpp>

namespace order::storage {
namespace {

constexpr std::size_t kOldOrdersAtOnce = 200;

NewEvents history_of(const OldOrder& old) {
    NewEvents events(history::placed, {old.id, old.user_id, old.items, old.total, old.created_at});
    if (old.status == Status::confirmed) events.add(history::confirmed, {});
    if (old.status == Status::cancelled) events.add(history::cancelled, {.reason = "cancelled"});
    return events;
}

Result<BackfillStep> tell_history(Transaction& transaction, const std::string& after) {
    const auto some = transaction.select(old_orders, after, kOldOrdersAtOnce);
    BackfillStep done;
    for (const auto& old : some) {
        auto order = load(transaction, history::orders, old.id);
        if (order.exists()) continue;
        append(transaction, history::orders, order, history_of(old));
        ++done.changed;
    }
    if (some.size() == kOldOrdersAtOnce) done.next = some.back().id;
    return done;
}

constexpr std::array kBackfills{Backfill{1, "tell_history", tell_history}};

} // namespace

void detail::add(Transaction& transaction, const history::Placed& event) {
    Versioned<Order> row;
    apply(row.value, event);
    transaction.insert(order_list, row);
}

Backfills backfills() { return kBackfills; }

} // namespace order::storage
