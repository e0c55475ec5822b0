#pragma once

#include "services/product/api/product.hpp"

namespace product {

/// The page size used when none is asked for.
inline constexpr int kDefaultPage = 20;

/// Errors: invalid_price unless 0.01 .. 1,000,000.00.
Result<void> check_price(Money price);

/// A new product. Errors: invalid_price.
Result<Product> draft_product(std::string id, const CreateProduct& request);

/// The product as changed. Errors: invalid_price.
Result<Product> changed(Product product, const ChangeProduct& request);

} // namespace product
