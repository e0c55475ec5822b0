#include <flotilla/contract/topic.hpp>

#include <gtest/gtest.h>

namespace flotilla {
namespace {

struct OrderPlaced {
    std::string order_id;
    int lines;
};

constexpr Topic<OrderPlaced> placed{"order.created", {.key = &OrderPlaced::order_id, .partitions = 4}};
constexpr Topic<OrderPlaced> unkeyed{"order.seen"};

// Goal: the key of an event is the field the topic names, or empty.
TEST(Topic, KeyIsTheNamedField) {
    EXPECT_EQ(placed.key_of({.order_id = "o-1", .lines = 2}), "o-1");
    EXPECT_EQ(unkeyed.key_of({.order_id = "o-1", .lines = 2}), "");
    EXPECT_EQ(placed.options.partitions, 4U);
    EXPECT_EQ(unkeyed.options.partitions, 1U);
}

} // namespace
} // namespace flotilla
