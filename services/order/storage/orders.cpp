#include "services/order/storage/orders.hpp"

namespace order::storage {
namespace {
constexpr std::string_view kFind = "SELECT id, user_id, items, total, status, created_at FROM orders WHERE id = $1";
}

flotilla::Result<Order> insert(flotilla::Transaction& tx, Order order) {
    auto inserted =
        tx.execute("INSERT INTO orders (id, user_id, items, total, status, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
                   order.id, order.user_id, order.items, order.total, order.status, order.created_at);
    if (!inserted) return std::move(inserted.error());
    return order;
}

flotilla::Result<void> set_status(flotilla::Transaction& tx, const std::string& id, Status status) {
    auto updated = tx.execute("UPDATE orders SET status = $2 WHERE id = $1", id, status);
    if (!updated) return std::move(updated.error());
    return {};
}

flotilla::Result<std::optional<Order>> find(flotilla::Transaction& tx, const std::string& id) {
    return tx.find<Order>(kFind, id);
}

flotilla::task<flotilla::Result<std::optional<Order>>> find(flotilla::Context& context, flotilla::Database& database,
                                                            std::string id) {
    return database.find<Order>(context, kFind, std::move(id));
}

flotilla::task<flotilla::Result<std::vector<Order>>> list(flotilla::Context& context, flotilla::Database& database,
                                                          std::string user_id) {
    return database.select<Order>(context,
                                  "SELECT id, user_id, items, total, status, created_at FROM ("
                                  "SELECT * FROM orders WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1000"
                                  ") AS newest ORDER BY created_at, id",
                                  std::move(user_id));
}

} // namespace order::storage
