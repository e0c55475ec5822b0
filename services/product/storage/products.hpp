#pragma once

#include <flotilla/store/table.hpp>

#include "services/product/api/product.hpp"

namespace product::storage {

inline constexpr Table<Versioned<Product>> products{"products"};

/// By id: those that come after $1, at most $2.
inline constexpr Query<Product, std::string, int> products_after{"FROM products WHERE id > $1 ORDER BY id LIMIT $2"};

} // namespace product::storage
