#pragma once

#include <flotilla/contract/contract.hpp>

/// The product service's contract: the catalogue, whose prices count.
namespace product {

using namespace flotilla;

struct Product {
    std::string id, name;
    Money price;
    bool in_stock = false;
};
struct ProductId {
    std::string id;
};
struct ListProducts {
    /// Only products of whose names it has words, or their beginnings, in any case: "amb anch" finds "Amber Anchor".
    /// Without a word all are listed.
    std::optional<Text<0, 200>> query;
    std::optional<Bounded<int, 1, 100>> limit; ///< 20 by default
    std::optional<std::string> after;          ///< `next` of the page before
};
struct ProductPage {
    std::vector<Product> items;      ///< by id; of a search by the word that was found, perhaps fewer than `limit`
    std::optional<std::string> next; ///< absent on the last page
};
struct CreateProduct {
    Text<1, 200> name;
    Money price;
    std::optional<bool> in_stock; ///< true by default
};
/// Changes what is given, leaves the rest.
struct ChangeProduct {
    std::string id;
    std::optional<Text<1, 200>> name;
    std::optional<Money> price;
    std::optional<bool> in_stock;
};
struct ProductCreated {
    std::string product_id, name;
    Money price;
    bool in_stock = false;
};

inline constexpr ErrorCode product_not_found{"product_not_found", Kind::not_found, "Product not found"};
inline constexpr ErrorCode invalid_price{"invalid_price", Kind::invalid, "price must be between 0.01 and 1000000"};

inline constexpr Service service{"product-service"};

inline constexpr Endpoint<ListProducts, ProductPage> list{
    service, Method::get, "/products", {.summary = "List the catalogue or search it, page by page"}};
inline constexpr Endpoint<ProductId, Product> get{
    service,
    Method::get,
    "/products/{id}",
    {.versioned = true, .errors = {product_not_found}, .summary = "Get a product"}};
/// Publishes product.created.
inline constexpr Endpoint<CreateProduct, Product> create{
    service,
    Method::post,
    "/products",
    {.success = 201, .idempotent = true, .versioned = true, .errors = {invalid_price}, .summary = "Add a product"}};
inline constexpr Endpoint<ChangeProduct, Product> change{
    service,
    Method::patch,
    "/products/{id}",
    {.versioned = true, .errors = {product_not_found, invalid_price}, .summary = "Change name, price or availability"}};

inline constexpr Topic<ProductCreated> created{"product.created", {.key = &ProductCreated::product_id}};

} // namespace product
