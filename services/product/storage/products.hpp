#pragma once

#include <flotilla/store/database.hpp>

#include "services/product/api/product.hpp"

namespace product::storage {

flotilla::Result<void> insert(flotilla::Transaction& tx, const Product& product);
flotilla::Result<void> update(flotilla::Transaction& tx, const Product& product);
flotilla::Result<std::optional<Product>> find(flotilla::Transaction& tx, const std::string& id);

flotilla::task<flotilla::Result<std::optional<Product>>> find(flotilla::Context& context, flotilla::Database& database,
                                                              std::string id);
/// Up to `count` products whose id comes after `after`, by id.
flotilla::task<flotilla::Result<std::vector<Product>>> list(flotilla::Context& context, flotilla::Database& database,
                                                            std::string after, int count);

} // namespace product::storage
