#include "services/product/product.hpp"

#include <gtest/gtest.h>

#include <set>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/product/api/product.hpp"
#include "services/product/domain/catalogue.hpp"

namespace product::product_test {
namespace {

using namespace flotilla;

// Goal: paging walks over every seeded product once.
TEST(ProductList, PagesCoverTheCatalogue) {
    TestService products{install};
    std::set<std::string> ids;
    std::string target = "/products?limit=100";
    for (int pages = 0; pages < 20; ++pages) {
        const auto page = products.get(target);
        ASSERT_EQ(page.status, 200) << page.body;
        for (const auto& item : page.json().at("items").as_array()) {
            EXPECT_TRUE(ids.insert(std::string(item.at("id").as_string())).second) << page.body;
        }
        if (!page.json().as_object().contains("next")) break;
        target = "/products?limit=100&after=" + std::string(page.json().at("next").as_string());
    }
    EXPECT_GE(ids.size(), 1000U);
    EXPECT_EQ(*ids.begin(), "p-0001");
    EXPECT_EQ(products.get("/products").json().at("items").as_array().size(), 20U);
}

// Goal: a page size outside its bounds is refused with the bounds.
TEST(ProductList, BadLimitIsRefused) {
    TestService products{install};
    const auto refused = products.get("/products?limit=1000");
    EXPECT_EQ(refused.status, 400);
    EXPECT_TRUE(refused.body.contains("1..100")) << refused.body;
}

// Goal: a product has the API's members; some are out of stock.
TEST(ProductGet, SeededProductHasPriceAndStock) {
    TestService products{install};
    const auto first = products.get("/products/p-0001");
    ASSERT_EQ(first.status, 200) << first.body;
    EXPECT_EQ(first.json().at("price"), 4.99);
    EXPECT_EQ(first.json().at("inStock"), true);
    EXPECT_EQ(products.get("/products/p-0050").json().at("inStock"), false);
    EXPECT_EQ(products.get("/products/nothing").json().at("error"), "Product not found");
}

// Goal: a change touches what it names and nothing else.
TEST(ProductChange, GivenFieldsChange) {
    TestService products{install};
    const auto made = products.post("/products", {{"name", "Tide Table"}, {"price", 12.5}});
    ASSERT_EQ(made.status, 201) << made.body;
    const auto path = "/products/" + std::string(made.json().at("id").as_string());
    const auto changed = products.patch(path, {{"price", 13.25}});
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(changed.json().at("price"), 13.25);
    EXPECT_EQ(changed.json().at("name"), "Tide Table");
    EXPECT_EQ(changed.json().at("inStock"), true);
    EXPECT_EQ(products.get(path).body, changed.body);
    EXPECT_EQ(products.patch("/products/nothing", {{"price", 1}}).status, 404);
    EXPECT_EQ(products.patch(path, {{"price", 0}}).json().at("code"), "invalid_price");
    EXPECT_EQ(products.patch(path, {{"price", 1.999}}).status, 400);
}

// Goal: a price changes only from the version it was decided on; seeded products have one, too.
TEST(ProductChange, OtherVersionIsRefused) {
    TestService products{install};
    EXPECT_EQ(products.get("/products/p-0001").headers.at("etag"), "\"1\"");
    EXPECT_EQ(products.get("/products/p-0001", {{"If-None-Match", "\"1\""}}).status, 304);
    const auto price = [&](double to, const char* etag) {
        return products.patch("/products/p-0001", {{"price", to}}, {{"If-Match", etag}});
    };
    const auto changed = price(5.5, "\"1\"");
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(changed.headers.at("etag"), "\"2\"");
    const auto late = price(6.5, "\"1\"");
    EXPECT_EQ(late.status, 412);
    EXPECT_EQ(late.json().at("code"), "precondition_failed");
    EXPECT_EQ(products.get("/products/p-0001").json().at("price"), 5.5);
}

// Goal: the rules hold without a server.
TEST(ProductCatalogue, PageIsCutAtItsLimit) {
    std::vector<Product> items(3);
    items[1].id = "b";
    const auto page = make_page(items, 2);
    EXPECT_EQ(page.items.size(), 2U);
    EXPECT_EQ(page.next, "b");
    EXPECT_FALSE(make_page(items, 3).next);
}

} // namespace
} // namespace product::product_test
