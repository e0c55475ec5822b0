#include <flotilla/contract/endpoint.hpp>

#include <gtest/gtest.h>

namespace flotilla::method_test {
namespace {

// Goal: every method's name leads back to it, in exact spelling only.
TEST(Method, NamesRoundTrip) {
    for (const auto method :
         {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::delete_, Method::options}) {
        EXPECT_EQ(parse_method(name(method)), method);
    }
    EXPECT_EQ(name(Method::delete_), "DELETE");
    EXPECT_EQ(name(Method::other), "");
    EXPECT_EQ(parse_method("get"), Method::other);
    EXPECT_EQ(parse_method("BREW"), Method::other);
    EXPECT_EQ(parse_method(""), Method::other);
}

// Goal: exactly the methods that RFC 9110 calls idempotent are.
TEST(Method, IdempotenceFollowsTheStandard) {
    EXPECT_TRUE(is_idempotent(Method::get) && is_idempotent(Method::put) && is_idempotent(Method::delete_));
    EXPECT_TRUE(is_idempotent(Method::head) && is_idempotent(Method::options));
    EXPECT_FALSE(is_idempotent(Method::post) || is_idempotent(Method::patch) || is_idempotent(Method::other));
}

} // namespace
} // namespace flotilla::method_test
