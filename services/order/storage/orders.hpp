#pragma once

#include <flotilla/store/backfill.hpp>
#include <flotilla/store/projection.hpp>
#include <flotilla/store/table.hpp>

#include "services/order/domain/history.hpp"

namespace order::storage {

/// Orders as they are read: made of their history.
inline constexpr Table<Versioned<Order>> order_list{"order_list_1"};

/// A user's orders, oldest first; at most the newest 1,000.
inline constexpr Query<Order, std::string> orders_of{
    "FROM (SELECT * FROM order_list_1 WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000) AS newest"
    " ORDER BY created_at, id"};

namespace detail {
void add(Transaction& transaction, const history::Placed& event);
/// What has happened to an order, in its row.
template <class Event>
void follow(Transaction& transaction, const Event& event, const StoredEvent& stored) {
    auto row = transaction.find(order_list, stored.id_in(history::orders));
    if (!row) return transaction.fail(Error(Kind::internal, "there is no order of " + stored.stream));
    apply(row->value, event);
    transaction.update(order_list, *row);
}
} // namespace detail

inline constexpr Projection order_lists{"order_list",
                                        1,
                                        {when<history::placed, detail::add>,
                                         when<history::advanced, detail::follow<history::Advanced>>,
                                         when<history::confirmed, detail::follow<history::Confirmed>>,
                                         when<history::cancelled, detail::follow<history::Cancelled>>}};

/// An order as it was kept before it had a history.
struct OldOrder {
    std::string id, user_id;
    std::vector<Item> items;
    Money total;
    Status status = Status::pending;
    Timestamp created_at;
};
/// By id: those that come after $1, at most $2.
inline constexpr Query<OldOrder, std::string, std::size_t> old_orders{"FROM orders WHERE id > $1 ORDER BY id LIMIT $2"};

/// Orders had no history once: those that were placed then get the one they would have.
Backfills backfills();

} // namespace order::storage
