#include "services/product/storage/products.hpp"

namespace product::storage {
namespace {
constexpr std::string_view kFind = "SELECT id, name, price, in_stock FROM products WHERE id = $1";
}

flotilla::Result<void> insert(flotilla::Transaction& tx, const Product& product) {
    auto inserted = tx.execute("INSERT INTO products (id, name, price, in_stock) VALUES ($1, $2, $3, $4)", product.id,
                               product.name, product.price, product.in_stock);
    if (!inserted) return std::move(inserted.error());
    return {};
}

flotilla::Result<void> update(flotilla::Transaction& tx, const Product& product) {
    auto updated = tx.execute("UPDATE products SET name = $2, price = $3, in_stock = $4 WHERE id = $1", product.id,
                              product.name, product.price, product.in_stock);
    if (!updated) return std::move(updated.error());
    return {};
}

flotilla::Result<std::optional<Product>> find(flotilla::Transaction& tx, const std::string& id) {
    return tx.find<Product>(kFind, id);
}

flotilla::task<flotilla::Result<std::optional<Product>>> find(flotilla::Context& context, flotilla::Database& database,
                                                              std::string id) {
    return database.find<Product>(context, kFind, std::move(id));
}

flotilla::task<flotilla::Result<std::vector<Product>>> list(flotilla::Context& context, flotilla::Database& database,
                                                            std::string after, int count) {
    return database.select<Product>(context,
                                    "SELECT id, name, price, in_stock FROM products WHERE id > $1 ORDER BY id LIMIT $2",
                                    std::move(after), count);
}

} // namespace product::storage
