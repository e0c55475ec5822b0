#pragma once

#include <flotilla/store/backfill.hpp>
#include <flotilla/store/table.hpp>

#include "services/product/api/product.hpp"
#include "services/product/domain/search.hpp"

namespace product::storage {

inline constexpr Table<Versioned<Product>> products{"products"};

/// By id: those that come after $1, at most $2.
inline constexpr Query<Product, std::string, int> products_after{"FROM products WHERE id > $1 ORDER BY id LIMIT $2"};

/// What the inventory says, unless it has said something newer: a product $1 that is not withdrawn is in stock or not.
/// The product's version tells only of what customers see.
inline constexpr Statement<std::string, bool, std::int64_t> follow_stock{
    "UPDATE products SET in_stock = ($2 AND NOT withdrawn), stock_version = $3,"
    " version = CASE WHEN in_stock = ($2 AND NOT withdrawn) THEN version ELSE version + 1 END"
    " WHERE id = $1 AND stock_version < $3"};
inline constexpr Statement<std::string, bool> set_withdrawn{"UPDATE products SET withdrawn = $2 WHERE id = $1"};

/// A word of a product's name.
struct ProductWord {
    std::string word, product_id;
};
inline constexpr Table<ProductWord> words{"product_words", {.key = {"word", "product_id"}}};
/// In the order of words and ids: those after word $1 of product $2, before word $3, at most $4.
inline constexpr Query<Hit, std::string, std::string, std::string, int> hits{
    "FROM product_words JOIN products ON products.id = product_words.product_id"
    " WHERE (word, product_id) > ($1, $2) AND word < $3 ORDER BY word, product_id LIMIT $4"};

void insert_words(Transaction& tx, const Product& product);
/// Requires: the name is that of `before` now.
void replace_words(Transaction& tx, const Product& before, const Product& after);

/// Backfill: the words of names from before there was a search.
Result<BackfillStep> index_names(Transaction& tx, const std::string& after);

} // namespace product::storage
