#include "gateway/core/path_template.hpp"

#include <gtest/gtest.h>

namespace flotilla::gateway::path_template_test {
namespace {

std::string expand(std::string_view text, std::string_view pattern, std::string_view path) {
    auto compiled = PathTemplate::compile(text, pattern);
    if (!compiled) return "error: " + compiled.error().message();
    std::string out;
    auto expanded = compiled->expand_to(out, path);
    return expanded ? out : "error: " + expanded.error().message();
}

// Goal: segments and the rest of a path move to where the template wants them.
TEST(PathTemplate, PlaceholdersTakeSegments) {
    EXPECT_EQ(expand("/users/{id}", "/api/users/{id}", "/api/users/42"), "/users/42");
    EXPECT_EQ(expand("/x/{b}/{a}/y", "/{a}/m/{b}", "/1/m/2"), "/x/2/1/y");
    EXPECT_EQ(expand("/users/{rest...}", "/api/users/{rest...}", "/api/users/42/a%2Fb/"), "/users/42/a%2Fb/");
    EXPECT_EQ(expand("/users/{rest}", "/api/users/{rest...}", "/api/users/42"), "/users/42");
    EXPECT_EQ(expand("/fixed", "/api", "/api"), "/fixed");
}

// Goal: no value leaves the query parameter or the path segment it stands in.
TEST(PathTemplate, HostileValueStaysInItsPlace) {
    EXPECT_EQ(expand("/orders?userId={id}", "/u/{id}", "/u/a&limit=9"), "/orders?userId=a%26limit%3D9");
    EXPECT_EQ(expand("/orders?userId={id}", "/u/{id}", "/u/a%26b"), "/orders?userId=a%26b");
    EXPECT_EQ(expand("/orders?userId={id}&limit=10", "/u/{id}", "/u/%23x+y"), "/orders?userId=%23x%2By&limit=10");
    EXPECT_EQ(expand("/users/{id}", "/u/{id}", "/u/a%2Fadmin"), "/users/a%2Fadmin");
    EXPECT_EQ(expand("/users/{id}", "/u/{id}", "/u/a%3Fb"), "/users/a%3Fb");
}

// Goal: a placeholder that the path does not have is found when the configuration is read.
TEST(PathTemplate, UnknownPlaceholderIsAnErrorWithTheNearest) {
    EXPECT_EQ(expand("/users/{userid}", "/u/{userId}", "/u/1"),
              "error: '{userid}' is not a parameter of the path '/u/{userId}'; did you mean 'userId'?");
    EXPECT_EQ(expand("/users/{id}", "/u", "/u"), "error: '{id}' is not a parameter of the path '/u', which has none");
    EXPECT_EQ(expand("/users/{id", "/u/{id}", "/u/1"), "error: a '{' is not closed in '/users/{id'");
    EXPECT_EQ(expand("/a b", "/u", "/u"), "error: '/a b' has characters that must be escaped");
}

// Goal: a template cannot make a path that the origin reads as another one.
TEST(PathTemplate, PathNotInItsFormIsAnError) {
    EXPECT_EQ(expand("/a/../{id}", "/u/{id}", "/u/1"), "error: '/a/../{id}' has a path that others read as '/x' (x for "
                                                       "the parameters); write that");
    EXPECT_TRUE(expand("//{rest...}", "/u/{rest...}", "/u/evil.example").starts_with("error: "));
    EXPECT_TRUE(expand("/%2e%2e/{id}", "/u/{id}", "/u/1").starts_with("error: "));
    EXPECT_TRUE(expand("/a%2f../{id}", "/u/{id}", "/u/1").starts_with("error: in '/a%2f../{id}' the path has a dot"));
    EXPECT_EQ(expand("/a/.{id}/..x?q=//../{id}", "/u/{id}", "/u/1"), "/a/.1/..x?q=//../1");
}

} // namespace
} // namespace flotilla::gateway::path_template_test
