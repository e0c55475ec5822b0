#include "load/mix.hpp"

#include <gtest/gtest.h>

#include <map>

namespace flotilla::load::mix_test {
namespace {

// Goal: each mix has the shares of its model, and every request it makes is whole and of its gateway.
TEST(LoadMix, RequestsAreWhole) {
    const std::map<std::string_view, double> shares{{"shop", 23}, {"social", 100}, {"orders", 2}};
    const Shop shop{.gateway = 3000, .users = {"u-1", "u-2"}, .products = {"p-1"}, .words = {"lamp"}};
    std::mt19937_64 random(1);
    ASSERT_EQ(mixes().size(), shares.size());
    for (const auto& mix : mixes()) {
        double sum = 0;
        for (const auto& stream : mix.streams(shop, random)) {
            sum += stream.share;
            const auto request = stream.request();
            const auto head = request.substr(0, request.find("\r\n\r\n") + 4);
            EXPECT_NE(head.find("Host: 127.0.0.1:3000\r\n"), std::string::npos) << request;
            const auto body = std::to_string(request.size() - head.size());
            EXPECT_EQ(head.starts_with("POST"), head.contains("Content-Length: " + body + "\r\n")) << request;
        }
        EXPECT_EQ(sum, shares.at(mix.name));
    }
}

// Goal: no two orders share their key: each is an order of its own.
TEST(LoadMix, EachOrderHasAKeyOfItsOwn) {
    const Shop shop{.gateway = 3000, .users = {"u-1"}, .products = {"p-1"}, .words = {"lamp"}};
    std::mt19937_64 random(1);
    const auto streams = mixes()[2].streams(shop, random);
    EXPECT_NE(streams[0].request(), streams[0].request());
}

} // namespace
} // namespace flotilla::load::mix_test
