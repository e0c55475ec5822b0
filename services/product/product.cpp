#include "services/product/product.hpp"

#include <services/product/migrations.hpp>

#include "services/product/api/product.hpp"
#include "services/product/domain/catalogue.hpp"
#include "services/product/storage/products.hpp"

using namespace flotilla;

namespace product {
namespace {

class Products {
public:
    explicit Products(Database& database) : database_(database) {}

    task<Result<ProductPage>> list(Context& context, ListProducts request) {
        const int limit = request.limit ? static_cast<int>(*request.limit) : kDefaultPage;
        auto items = co_await must(storage::list(context, database_, request.after.value_or(""), limit + 1));
        co_return make_page(std::move(items), limit);
    }

    task<Result<Product>> get(Context& context, ProductId request) {
        auto product = co_await must(storage::find(context, database_, request.id));
        if (!product) co_return product_not_found;
        co_return std::move(*product);
    }

    task<Result<Recorded<Product>>> create(Context& context, CreateProduct request) {
        co_return co_await database_.answer(context, [=](Transaction& tx) -> Result<Product> {
            auto product = draft_product("p-" + tx.new_id(), request);
            if (!product) return product;
            if (auto inserted = storage::insert(tx, *product); !inserted) return inserted.error();
            return product;
        });
    }

    task<Result<Product>> change(Context& context, ChangeProduct request) {
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<Product> {
            auto found = storage::find(tx, request.id);
            if (!found) return found.error();
            if (!*found) return product_not_found;
            auto product = changed(std::move(**found), request);
            if (!product) return product;
            if (auto updated = storage::update(tx, *product); !updated) return updated.error();
            return product;
        });
    }

private:
    Database& database_;
};

} // namespace

void install(Host& host) {
    auto& products = host.own<Products>(host.database(migrations));
    host.serve(list, &Products::list, products);
    host.serve(get, &Products::get, products);
    host.serve(create, &Products::create, products);
    host.serve(change, &Products::change, products);
}

} // namespace product
