#include "services/product/product.hpp"

#include <services/product/migrations.hpp>

#include "services/product/api/product.hpp"
#include "services/product/domain/catalogue.hpp"
#include "services/product/storage/products.hpp"

namespace product {
namespace {

class Products {
public:
    explicit Products(Database& database) : database_(database) {}

    task<Result<ProductPage>> list(Context& context, ListProducts request) {
        const int limit = request.limit ? static_cast<int>(*request.limit) : kDefaultPage;
        auto items =
            co_await must(database_.select(context, storage::products_after, request.after.value_or(""), limit + 1));
        co_return make_page(std::move(items), limit);
    }

    task<Result<Versioned<Product>>> get(Context& context, ProductId request) {
        co_return co_await must(database_.find(context, storage::products, request.id), or_none(product_not_found));
    }

    task<Result<Recorded<Versioned<Product>>>> create(Context& context, CreateProduct request) {
        co_return co_await database_.answer(context, [=](Transaction& tx) -> Result<Versioned<Product>> {
            auto product = draft_product("p-" + tx.new_id(), request);
            if (!product) return std::move(product.error());
            const Versioned made{std::move(*product)};
            tx.insert(storage::products, made);
            return made;
        });
    }

    task<Result<Changed<Product>>> change(Context& context, ChangeProduct request, ExpectedVersion expected) {
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<Changed<Product>> {
            auto found = tx.find(storage::products, request.id);
            if (!found) return product_not_found;
            auto product = changed(std::move(found->value), request);
            if (!product) return std::move(product.error());
            return tx.change(storage::products, {std::move(*product), found->version}, expected);
        });
    }

private:
    Database& database_;
};

} // namespace

void install(Host& host) {
    auto& products = host.own<Products>(host.database(migrations, {storage::products, storage::products_after}));
    host.serve(list, &Products::list, products);
    host.serve(get, &Products::get, products);
    host.serve(create, &Products::create, products);
    host.serve(change, &Products::change, products);
}

} // namespace product
