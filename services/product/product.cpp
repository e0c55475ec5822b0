#include "services/product/product.hpp"

#include <flotilla/contract/page.hpp>
#include <services/product/migrations.hpp>

#include "services/inventory/api/inventory.hpp"
#include "services/product/api/product.hpp"
#include "services/product/domain/catalogue.hpp"
#include "services/product/domain/search.hpp"
#include "services/product/storage/products.hpp"

namespace product {
namespace {

/// Tells of the products that were there before anybody listened, so many at a time.
struct Announce {
    std::string after; ///< id
};
inline constexpr Job<Announce> announce{"announce_products"};
constexpr int kAnnouncedAtOnce = 250;

class Products {
public:
    Products(Database& database, Publisher<ProductCreated>& created) : database_(database), created_(created) {}

    task<Result<ProductPage>> list(Context& context, ListProducts request) {
        const int limit = request.limit ? static_cast<int>(*request.limit) : kDefaultPage;
        if (auto words = words_of(request.query ? request.query->view() : ""); !words.empty())
            co_return co_await search(context, Search(std::move(words), request.after.value_or(""), limit));
        auto items =
            co_await must(database_.select(context, storage::products_after, request.after.value_or(""), limit + 1));
        co_return page_of<ProductPage>(std::move(items), static_cast<std::size_t>(limit));
    }

    task<Result<Versioned<Product>>> get(Context& context, ProductId request) {
        co_return co_await must(database_.find(context, storage::products, request.id), or_none(product_not_found));
    }

    task<Result<Recorded<Versioned<Product>>>> create(Context& context, CreateProduct request) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Versioned<Product>> {
            auto product = draft_product("p-" + tx.new_id(), request);
            if (!product) return std::move(product.error());
            const Versioned made{std::move(*product)};
            tx.insert(storage::products, made);
            storage::insert_words(tx, made.value);
            publish(tx, made.value);
            return made;
        });
    }

    task<Result<Changed<Product>>> change(Context& context, ChangeProduct request, ExpectedVersion expected) {
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<Changed<Product>> {
            const auto found = tx.find(storage::products, request.id);
            if (!found) return product_not_found;
            auto product = changed(found->value, request);
            if (!product) return std::move(product.error());
            if (request.in_stock) tx.execute(storage::set_withdrawn, request.id, !*request.in_stock);
            if (request.name) storage::replace_words(tx, found->value, *product);
            return tx.change(storage::products, {std::move(*product), found->version}, expected);
        });
    }

    void follow(Transaction& tx, const Received<inventory::StockChanged>& event) {
        tx.execute(storage::follow_stock, event->product_id, event->available > 0, event->version);
    }

    task<Result<void>> announce(Context& context, Announce job, JobTry attempt) {
        co_return co_await database_.transact(context, [=, this](Transaction& tx) {
            const auto some = tx.select(storage::products_after, job.after, kAnnouncedAtOnce);
            for (const auto& product : some)
                publish(tx, product);
            if (some.size() == kAnnouncedAtOnce) enqueue(tx, product::announce, {some.back().id});
            attempt.done(tx);
        });
    }

private:
    task<Result<ProductPage>> search(Context& context, Search search) {
        const auto hits = co_await must(database_.select(context, storage::hits, search.after_word(), search.after_id(),
                                                         search.before_word(), search.hits_max()));
        co_return search.page_of(hits);
    }

    void publish(Transaction& tx, const Product& product) {
        created_.publish(tx, {product.id, product.name, product.price, product.in_stock});
    }

    Database& database_;
    Publisher<ProductCreated>& created_;
};

Result<BackfillStep> begin_announcing(Transaction& tx, const std::string&) {
    enqueue(tx, announce, {}, {.key = "first"});
    return BackfillStep{};
}
constexpr Backfill kBackfills[] = {{1, "index_names", storage::index_names}, {2, "begin_announcing", begin_announcing}};

} // namespace

void install(Host& host) {
    auto& database = host.database(migrations,
                                   {storage::products, storage::products_after, storage::follow_stock,
                                    storage::set_withdrawn, storage::words, storage::hits},
                                   kBackfills);
    auto& products = host.own<Products>(database, host.publishes(created));
    host.on(inventory::changed, &Products::follow, products);
    host.perform(announce, &Products::announce, products);
    host.serve(list, &Products::list, products);
    host.serve(get, &Products::get, products);
    host.serve(create, &Products::create, products);
    host.serve(change, &Products::change, products);
}

} // namespace product
