#include "services/product/product.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include <flotilla/base/json_value.hpp>
#include <flotilla/contract/page.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/inventory/api/inventory.hpp"
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

std::vector<std::string> names_in(const boost::json::value& page) {
    std::vector<std::string> names;
    for (const auto& item : page.at("items").as_array())
        names.emplace_back(item.at("name").as_string());
    return names;
}

/// The names of all pages of a search.
std::vector<std::string> found(TestService& products, const std::string& query, int limit = 100) {
    const auto target = "/products?query=" + query + "&limit=" + std::to_string(limit);
    auto page = products.get(target).json();
    auto names = names_in(page);
    for (int pages = 0; page.as_object().contains("next") && pages < 100; ++pages) {
        page = products.get(target + "&after=" + std::string(page.at("next").as_string())).json();
        const auto more = names_in(page);
        EXPECT_LE(more.size(), static_cast<std::size_t>(limit));
        names.insert(names.end(), more.begin(), more.end());
    }
    return names;
}
using Names = std::vector<std::string>;

// Goal: a product is found by its words or their beginnings, all of them, in any case and order.
TEST(ProductSearch, WordsAreFoundInAnyCase) {
    TestService products{install};
    EXPECT_EQ(found(products, "jade%20anchor"), Names{"Jade Anchor"});
    EXPECT_EQ(found(products, "ANCH%20,%20jad"), Names{"Jade Anchor"});
    EXPECT_EQ(found(products, "sextant").size(), 25U);
    EXPECT_EQ(found(products, "jade").size(), 40U);
    EXPECT_EQ(found(products, "extant"), Names{});
    EXPECT_EQ(found(products, "jade%20nothing"), Names{});
    EXPECT_EQ(found(products, "map%20case%20lunar"), Names{"Lunar Map Case"});
    EXPECT_EQ(products.get("/products?query=+").body, products.get("/products").body);
}

// Goal: pages of a search cover what it finds, each product once, also one that two of its words lead to.
TEST(ProductSearch, PagesCoverWhatIsFoundOnce) {
    TestService products{install};
    products.post("/products", {{"name", "Canvas Cap, Crimson"}, {"price", 9}});
    for (const auto* query : {"c", "ca", "a%20c"}) {
        const auto all = found(products, query);
        EXPECT_GT(all.size(), 20U) << query;
        EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), all.size()) << query;
        EXPECT_EQ(found(products, query, 7), all) << query;
    }
    EXPECT_EQ(found(products, "canvas"), Names{"Canvas Cap, Crimson"});
}

// Goal: a search finds a name as it is now.
TEST(ProductSearch, RenamedProductIsFoundByItsNewName) {
    TestService products{install};
    const auto made = products.post("/products", {{"name", "Élan Tide Table"}, {"price", 12.5}}).json();
    EXPECT_EQ(found(products, "%C3%A9LAN"), Names{"Élan Tide Table"});
    products.patch("/products/" + std::string(made.at("id").as_string()), {{"name", "Tide Chart 2027"}});
    EXPECT_EQ(found(products, "%C3%A9lan"), Names{});
    EXPECT_EQ(found(products, "2027%20tide"), Names{"Tide Chart 2027"});
}

// Goal: the catalogue follows the stock, by the newest word on it, whatever comes late.
TEST(ProductFollow, InStockIsWhatTheInventorySaidLast) {
    TestService products{install};
    const auto in_stock = [&](const std::string& id) { return products.get("/products/" + id).json().at("inStock"); };
    products.deliver(inventory::changed, {.product_id = "p-0001", .available = 0, .version = 5}, "event-1");
    ASSERT_TRUE(eventually([&] { return in_stock("p-0001") == false; }));
    products.deliver(inventory::changed, {.product_id = "p-0001", .available = 3, .version = 4}, "event-2");
    products.deliver(inventory::changed, {.product_id = "p-0050", .available = 1, .version = 2}, "event-3");
    ASSERT_TRUE(eventually([&] { return in_stock("p-0050") == true; }));
    EXPECT_EQ(in_stock("p-0001"), false);
    EXPECT_EQ(products.get("/products/p-0001").headers.at("etag"), "\"2\"");
    products.deliver(inventory::changed, {.product_id = "p-0001", .available = 3, .version = 6}, "event-4");
    ASSERT_TRUE(eventually([&] { return in_stock("p-0001") == true; }));
    products.deliver(inventory::changed, {.product_id = "p-0001", .available = 2, .version = 7}, "event-5");
    products.deliver(inventory::changed, {.product_id = "p-0050", .available = 0, .version = 3}, "event-6");
    ASSERT_TRUE(eventually([&] { return in_stock("p-0050") == false; }));
    EXPECT_EQ(products.get("/products/p-0001").headers.at("etag"), "\"3\"") << "customers see no difference";
}

// Goal: what was taken off sale by hand stays so, whatever is in stock, until a hand puts it back.
TEST(ProductFollow, WithdrawnProductStaysOffSale) {
    TestService products{install};
    const auto in_stock = [&](const std::string& id) { return products.get("/products/" + id).json().at("inStock"); };
    EXPECT_EQ(products.patch("/products/p-0001", {{"inStock", false}}).json().at("inStock"), false);
    products.deliver(inventory::changed, {.product_id = "p-0001", .available = 9, .version = 2}, "event-1");
    products.deliver(inventory::changed, {.product_id = "p-0002", .available = 0, .version = 2}, "event-2");
    ASSERT_TRUE(eventually([&] { return in_stock("p-0002") == false; }));
    EXPECT_EQ(in_stock("p-0001"), false);
    EXPECT_EQ(products.patch("/products/p-0001", {{"inStock", true}}).json().at("inStock"), true);
    products.deliver(inventory::changed, {.product_id = "p-0001", .available = 0, .version = 3}, "event-3");
    ASSERT_TRUE(eventually([&] { return in_stock("p-0001") == false; }));
}

// Goal: every product is announced, those of the first catalogue as well as new ones.
TEST(ProductCreate, EveryProductIsAnnounced) {
    TestService products{install};
    const auto made = products.post("/products", {{"name", "Tide Table"}, {"price", 12.5}, {"inStock", false}}).json();
    std::map<std::string, std::string> announced;
    while (announced.size() < 1001) {
        auto event = products.next_event("product.created");
        announced[event.key] = event.payload;
    }
    EXPECT_EQ(announced["p-0001"], R"({"productId":"p-0001","name":"Amber Anchor","price":4.99,"inStock":true})");
    EXPECT_TRUE(announced["p-0050"].contains(R"("inStock":false)"));
    const std::string id(made.at("id").as_string());
    EXPECT_EQ(announced[id], R"({"productId":")" + id + R"(","name":"Tide Table","price":12.5,"inStock":false})");
}

// Goal: the rules hold without a server.
TEST(ProductCatalogue, PageIsCutAtItsLimit) {
    std::vector<Product> items(3);
    items[1].id = "b";
    const auto page = page_of<ProductPage>(items, 2);
    EXPECT_EQ(page.items.size(), 2U);
    EXPECT_EQ(page.next, "b");
    EXPECT_FALSE(page_of<ProductPage>(items, 3).next);
}

} // namespace
} // namespace product::product_test
