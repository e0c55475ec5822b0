#include <flotilla/base/result.hpp>

#include <set>

#include <gtest/gtest.h>

namespace flotilla::result_test {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) return Error(Kind::invalid, "odd", "the number is odd");
    return number / 2;
}
Result<> check(bool good) {
    if (!good) return Error(Kind::conflict, "the state is bad");
    return {};
}

// Goal: values and errors both convert, and an error without a code has its kind's name as code.
TEST(Result, HoldsValueOrError) {
    EXPECT_EQ(half(4).value(), 2);
    EXPECT_EQ(half(3).error().code(), "odd");
    EXPECT_TRUE(check(true));
    EXPECT_EQ(check(false).error().code(), "conflict");
    EXPECT_EQ(half(3).error(), Error(Kind::invalid, "odd", "the number is odd"));
}

// Goal: what is added to an error stays with it and with its copies.
TEST(Error, CarriesDetailsThroughCopies) {
    const auto error = Error(Kind::exhausted, "slow_down", "too many calls")
                           .with_retry_after(std::chrono::seconds(2))
                           .with_field("items[0]", "is required")
                           .with_context("placing the order");
    auto copy = error;
    EXPECT_EQ(copy.message(), "placing the order: too many calls");
    EXPECT_EQ(copy.retry_after(), std::chrono::seconds(2));
    ASSERT_EQ(copy.fields().size(), 1U);
    EXPECT_EQ(copy.fields()[0].path, "items[0]");
    copy = Error(Kind::internal, "another");
    EXPECT_EQ(error.code(), "slow_down");
    EXPECT_NE(copy, error);
}

// Goal: every kind has a name of its own and statuses, and its HTTP status leads back to it.
TEST(Kind, StatusesLeadBack) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(Kind::deadline_exceeded); ++i) {
        const auto kind = static_cast<Kind>(i);
        EXPECT_TRUE(names.insert(name(kind)).second);
        EXPECT_EQ(kind_of_http_status(http_status(kind)), kind);
        EXPECT_GT(grpc_status(kind), 0);
        EXPECT_LE(grpc_status(kind), 16);
    }
    EXPECT_EQ(kind_of_http_status(418), Kind::invalid);
    EXPECT_EQ(kind_of_http_status(599), Kind::internal);
    EXPECT_EQ(kind_of_http_status(200), Kind::internal);
}

} // namespace
} // namespace flotilla::result_test
