#include "services/product/domain/catalogue.hpp"

namespace product {

Result<void> check_price(Money price) {
    constexpr auto kMin = 1;
    constexpr auto kMax = 100'000'000;
    if (price.cents() < kMin || price.cents() > kMax) return invalid_price;
    return {};
}

Result<Product> draft_product(std::string id, const CreateProduct& request) {
    if (auto fine = check_price(request.price); !fine) return fine.error();
    return Product{
        .id = std::move(id), .name = request.name, .price = request.price, .in_stock = request.in_stock.value_or(true)};
}

Result<Product> changed(Product product, const ChangeProduct& request) {
    if (request.name) product.name = *request.name;
    if (request.price) {
        if (auto fine = check_price(*request.price); !fine) return fine.error();
        product.price = *request.price;
    }
    if (request.in_stock) product.in_stock = *request.in_stock;
    return product;
}

} // namespace product
