#include "services/product/domain/search.hpp"

#include <gtest/gtest.h>

namespace product::search_test {
namespace {

using Words = std::vector<std::string>;

// Goal: words are parted by what is neither letter nor digit, and compared without case.
TEST(ProductWords, TextIsPartedIntoFoldedWords) {
    EXPECT_EQ(words_of("Map-Case (LUNAR) map 2nd"), (Words{"2nd", "case", "lunar", "map"}));
    EXPECT_EQ(words_of("Élan"), words_of("E\u0301LAN"));
    EXPECT_EQ(words_of(" ,.- "), Words{});
}

// Goal: one of several words may be in every name: a page looks at a bounded number and says where it goes on.
TEST(ProductSearch, PageEndsWhereItsLookEnds) {
    const Search search({"amber", "ox"}, "", 20);
    std::vector<Hit> hits;
    for (int i = 0; i < search.hits_max(); ++i)
        hits.push_back({.word = "amber", .id = "p-" + std::to_string(1000 + i), .name = "Amber Oar"});
    const auto page = search.page_of(hits);
    EXPECT_TRUE(page.items.empty());
    ASSERT_TRUE(page.next);
    const Search next({"amber", "ox"}, *page.next, 20);
    EXPECT_EQ(next.after_word(), "amber");
    EXPECT_EQ(next.after_id(), hits.back().id);
    hits.pop_back();
    EXPECT_FALSE(search.page_of(hits).next);
}

// Goal: a place that is none of this search's begins it anew.
TEST(ProductSearch, ForeignPlaceBeginsAnew) {
    for (const auto* after : {"", "x", "aaa/p-1", "/"}) {
        const Search search({"amber"}, after, 20);
        EXPECT_EQ(search.after_word(), "amber") << after;
        EXPECT_EQ(search.after_id(), "") << after;
    }
}

} // namespace
} // namespace product::search_test
