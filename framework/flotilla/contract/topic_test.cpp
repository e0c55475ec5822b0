#include <flotilla/contract/topic.hpp>

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace flotilla::topic_test {
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

/// Whether a topic of that name compiles.
template <std::size_t size>
struct Text {
    char text[size]{};
    constexpr Text(const char (&literal)[size]) { std::copy_n(literal, size, text); }
    constexpr std::string_view view() const { return {text, size - 1}; }
};
template <Text text, std::uint32_t partitions = 1>
constexpr bool compiles =
    requires { typename std::bool_constant<(Topic<OrderPlaced>{text.view(), {.partitions = partitions}}, true)>; };

// Goal: a topic made at run time passes the checks of one that is written down, and says what is wrong with it.
TEST(Topic, NameAtRunTimeIsCheckedTheSame) {
    static_assert(compiles<"order.created">);
    static_assert(!compiles<"">);
    static_assert(!compiles<"order created">);
    static_assert(!compiles<"order.created", 0>);
    const std::string name = "saga.replies-7";
    const auto topic = Topic<OrderPlaced>::named(name, {.key = &OrderPlaced::order_id, .partitions = 2});
    ASSERT_TRUE(topic);
    EXPECT_EQ(topic->name, name);
    EXPECT_EQ(topic->key_of({.order_id = "o-1", .lines = 2}), "o-1");
    const auto refused = [](std::string_view text, std::uint32_t partitions = 1) {
        return Topic<OrderPlaced>::named(text, {.partitions = partitions}).error().message();
    };
    EXPECT_EQ(refused(""), "a topic has a name: \"\"");
    EXPECT_EQ(refused("a b"), "a topic's name is made of letters, digits, '.', '_' and '-': \"a b\"");
    EXPECT_EQ(refused("a", 0), "a topic has at least one partition: \"a\"");
    EXPECT_EQ(refused(std::string(201, 'a')).substr(0, 46), "a topic's name has at most 200 characters: \"aa");
}

} // namespace
} // namespace flotilla::topic_test
