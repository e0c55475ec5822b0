#include <flotilla/contract/event_type.hpp>

#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>
#include <flotilla/contract/aggregate.hpp>

namespace flotilla::event_type_test {
namespace {

// A cart whose items had a price in cents once, and a label before they had a name.
struct Added {
    std::string name;
    Money price;
};
struct AddedBefore {
    std::string name;
    int cents = 0;
};
struct Emptied {};

boost::json::value with_name(const boost::json::value& before) {
    auto now = before;
    now.as_object()["name"] = before.at("label");
    now.as_object().erase("label");
    return now;
}
Result<Added> with_price(const AddedBefore& before) {
    if (before.cents < 0) return Error(Kind::invalid, "a price below zero");
    return Added{before.name, Money::from_cents(before.cents)};
}

constexpr EventType<Added> kAdded{"cart.added", {upcast<with_name>, upcast<with_price>}};
constexpr EventType<Emptied> kEmptied{"cart.emptied"};
constexpr EventType<Emptied> kStranger{"cart.stranger"};

struct Cart {
    std::vector<std::string> names;
    Money total;
};
void apply(Cart& cart, const Added& event) {
    cart.names.push_back(event.name);
    cart.total = cart.total + event.price;
}
void apply(Cart& cart, const Emptied&) { cart = {}; }
constexpr Aggregate<Cart> kCarts{"cart", kAdded, kEmptied};

Result<Added> read(int version, std::string_view payload) {
    Result<Added> added;
    if (auto done = read_event(kAdded, version, payload, &*added); !done) return std::move(done.error());
    return added;
}

// Goal: what was stored in any version is read as the present one, by the chain from its own version on.
TEST(EventType, EveryStoredVersionIsReadAsThePresentOne) {
    EXPECT_EQ(kAdded.version, 3);
    for (const auto& [version, payload] :
         {std::pair{1, R"({"label":"pen","cents":250})"}, std::pair{2, R"({"name":"pen","cents":250})"},
          std::pair{3, R"({"name":"pen","price":2.5})"}}) {
        const auto added = read(version, payload);
        ASSERT_TRUE(added) << version << added.error().message();
        EXPECT_EQ(added->name, "pen");
        EXPECT_EQ(added->price, Money::from_cents(250));
    }
}

// Goal: what cannot be read is an error that says which event, which version and why; nothing is made up.
TEST(EventType, WhatCannotBeReadSaysWhy) {
    for (const auto& [version, payload, why] :
         {std::tuple{4, R"({"name":"pen","price":2.5})", "knows versions 1 to 3"},
          std::tuple{0, R"({"name":"pen","price":2.5})", "knows versions 1 to 3"},
          std::tuple{2, R"({"name":"pen","cents":-1})", "the upcaster from version 2 says: a price below zero"},
          std::tuple{3, R"({"name":"pen"})", "price"}}) {
        const auto added = read(version, payload);
        ASSERT_FALSE(added) << payload;
        EXPECT_EQ(added.error().code(), "event_not_readable");
        EXPECT_NE(added.error().message().find("cart.added of schema version " + std::to_string(version)),
                  std::string::npos)
            << added.error().message();
        EXPECT_NE(added.error().message().find(why), std::string::npos) << added.error().message();
    }
}

// Goal: events become a state by the aggregate's own functions, and one that it does not know is not passed over.
TEST(Aggregate, AppliesItsEventsAndNoOther) {
    Cart cart;
    ASSERT_TRUE(kCarts.apply(&cart, "cart.added", 1, R"({"label":"pen","cents":250})"));
    ASSERT_TRUE(kCarts.apply(&cart, "cart.added", 3, R"({"name":"ink","price":1})"));
    EXPECT_EQ(cart.names, (std::vector<std::string>{"pen", "ink"}));
    EXPECT_EQ(cart.total, Money::from_cents(350));
    ASSERT_TRUE(kCarts.apply(&cart, "cart.emptied", 1, "{}"));
    EXPECT_TRUE(cart.names.empty());
    EXPECT_EQ(kCarts.apply(&cart, "cart.stranger", 1, "{}").error().code(), "event_not_readable");
    EXPECT_TRUE(kCarts.has(kAdded));
    EXPECT_FALSE(kCarts.has(kStranger));
    EXPECT_EQ(kCarts.stream_of("7"), "cart-7");
}

// Goal: a state with other fields, or fields of another kind, has another shape; the same has the same.
TEST(Aggregate, ShapeFollowsTheFields) {
    struct Same {
        std::vector<std::string> names;
        Money total;
    };
    struct Renamed {
        std::vector<std::string> labels;
        Money total;
    };
    struct Retyped {
        std::vector<std::string> names;
        std::int64_t total;
    };
    constexpr auto kShape = detail::shape_of(descriptor_of<Cart>);
    EXPECT_EQ(kCarts.shape, kShape);
    EXPECT_EQ(detail::shape_of(descriptor_of<Same>), kShape);
    EXPECT_NE(detail::shape_of(descriptor_of<Renamed>), kShape);
    EXPECT_NE(detail::shape_of(descriptor_of<Retyped>), kShape);
}

// Goal: what a rule of the domain returns keeps its order and its types.
TEST(NewEvents, KeepTheirOrder) {
    NewEvents happened{kAdded, {.name = "pen", .price = Money::from_cents(250)}};
    happened.add(kEmptied, {}).add(kAdded, {.name = "ink", .price = {}});
    ASSERT_EQ(happened.entries().size(), 3U);
    EXPECT_EQ(happened.entries()[0].payload, R"({"name":"pen","price":2.5})");
    EXPECT_EQ(happened.entries()[1].type, &kEmptied);
    EXPECT_TRUE(NewEvents().empty());
}

} // namespace
} // namespace flotilla::event_type_test
