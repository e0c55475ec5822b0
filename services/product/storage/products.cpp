#include "services/product/storage/products.hpp"

namespace product::storage {

void insert_words(Transaction& tx, const Product& product) {
    for (const auto& word : words_of(product.name))
        std::ignore = tx.try_insert(words, {word, product.id}); // a backfill may come twice
}

void replace_words(Transaction& tx, const Product& before, const Product& after) {
    for (const auto& word : words_of(before.name))
        tx.remove(words, word, before.id);
    insert_words(tx, after);
}

Result<BackfillStep> index_names(Transaction& tx, const std::string& after) {
    constexpr int kRows = 250;
    const auto some = tx.select(products_after, after, kRows);
    for (const auto& product : some)
        insert_words(tx, product);
    BackfillStep step{.changed = static_cast<std::int64_t>(some.size())};
    if (some.size() == kRows) step.next = some.back().id;
    return step;
}

} // namespace product::storage
