#include <flotilla/http/router.hpp>

#include <gtest/gtest.h>

namespace flotilla::http::router_test {
namespace {

Router router_of(std::initializer_list<std::pair<std::optional<Method>, std::string_view>> routes) {
    Router router;
    std::size_t value = 0;
    for (const auto& [method, pattern] : routes) {
        const auto added = router.add(method, pattern, value++);
        EXPECT_TRUE(added) << added.error().message();
    }
    return router;
}

/// "value name=text ..." or the error's kind.
std::string found(const Router& router, Method method, std::string_view path) {
    const auto match = router.match(method, path);
    if (!match) return std::string(name(match.error().kind()));
    std::string text = std::to_string(match->value);
    for (const auto& [key, value] : match->parameters)
        text.append(" ").append(key).append("=").append(value);
    return text;
}

// Goal: literal segments win over parameters, parameters over the rest, and a dead end falls back.
TEST(Router, MatchPrefersTheMoreSpecific) {
    const auto router = router_of({{Method::get, "/users/{id}"},
                                   {Method::get, "/users/me"},
                                   {Method::get, "/users/{id}/posts/{post}"},
                                   {Method::get, "/users/{all...}"},
                                   {Method::get, "/users/me/settings"}});
    EXPECT_EQ(found(router, Method::get, "/users/me"), "1");
    EXPECT_EQ(found(router, Method::get, "/users/7"), "0 id=7");
    EXPECT_EQ(found(router, Method::get, "/users/me/posts/9"), "2 id=me post=9");
    EXPECT_EQ(found(router, Method::get, "/users/me/other"), "3 all=me/other");
    EXPECT_EQ(found(router, Method::get, "/users/me/settings"), "4");
    EXPECT_EQ(found(router, Method::get, "/users"), "not_found");
    EXPECT_EQ(found(router, Method::get, "/users/"), "not_found");
    EXPECT_EQ(found(router, Method::get, "/users/7/"), "3 all=7/");
}

// Goal: a method that the most specific pattern lacks is found on a less specific one; else 405.
TEST(Router, MatchOtherMethodFallsBackOrIs405) {
    const auto router = router_of({{Method::get, "/a/b"}, {Method::post, "/a/{x}"}, {Method::put, "/c"}});
    EXPECT_EQ(found(router, Method::post, "/a/b"), "1 x=b");
    EXPECT_EQ(found(router, Method::delete_, "/a/b"), "method_not_allowed");
    EXPECT_EQ(router.allowed("/a/b"), "GET, HEAD, POST");
    EXPECT_EQ(router.allowed("/c"), "PUT");
    EXPECT_EQ(router.allowed("/d"), "");
}

// Goal: HEAD is answered by GET unless it has a route of its own; any-method routes come last.
TEST(Router, MatchHeadAndAnyMethodFallBack) {
    const auto router =
        router_of({{Method::get, "/a"}, {std::nullopt, "/a"}, {Method::get, "/b"}, {Method::head, "/b"}});
    EXPECT_EQ(found(router, Method::head, "/a"), "0");
    EXPECT_EQ(found(router, Method::other, "/a"), "1");
    EXPECT_EQ(found(router, Method::head, "/b"), "3");
    EXPECT_EQ(router.allowed("/a"), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
}

// Goal: segments are decoded once, whole; an encoded slash splits nothing and an encoded name is the same name.
TEST(Router, MatchDecodesWholeSegments) {
    const auto router =
        router_of({{Method::get, "/files/{name}"}, {Method::get, "/caf\xc3\xa9/{rest...}"}, {Method::get, "/"}});
    EXPECT_EQ(found(router, Method::get, "/files/a%2Fb"), "0 name=a/b");
    EXPECT_EQ(found(router, Method::get, "/files/a%252Fb"), "0 name=a%2Fb");
    EXPECT_EQ(found(router, Method::get, "/%66iles/x"), "0 name=x");
    EXPECT_EQ(found(router, Method::get, "/caf%C3%A9/x/y%20z"), "1 rest=x/y z");
    EXPECT_EQ(found(router, Method::get, "/"), "2");
}

// Goal: paths that could mean something else to others are refused.
TEST(Router, MatchMalformedPathIsInvalid) {
    const auto router = router_of({{Method::get, "/{rest...}"}});
    for (const auto* path : {"/a%zz", "/a%", "/%00", "a", "", "*", "/a/../b", "/a/%2e%2E/b", "/./a", "/a/."}) {
        EXPECT_EQ(found(router, Method::get, path), "invalid") << path;
    }
    EXPECT_EQ(found(router, Method::get, "/..."), "0 rest=...");
    EXPECT_EQ(found(router, Method::get, "//"), "0 rest=/");
}

// Goal: deep paths and many parameters work beyond the inline storage.
TEST(Router, MatchLongPathWorks) {
    std::string pattern, path, expected = "0";
    for (int i = 0; i < 40; ++i) {
        pattern.append("/{p").append(std::to_string(i)).append("}");
        path.append("/%41").append(std::to_string(i));
        expected.append(" p").append(std::to_string(i)).append("=A").append(std::to_string(i));
    }
    EXPECT_EQ(found(router_of({{Method::get, pattern}}), Method::get, path), expected);
}

// Goal: two routes that no request could tell apart are refused, naming both.
TEST(Router, AddSameShapeTwiceIsAConflict) {
    auto router = router_of({{Method::get, "/a/{x}"}, {std::nullopt, "/a/{x}"}, {Method::get, "/r/{x...}"}});
    const auto again = router.add(Method::get, "/a/{y}", 9);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind(), Kind::conflict);
    EXPECT_NE(again.error().message().find("/a/{x}"), std::string::npos);
    EXPECT_NE(again.error().message().find("/a/{y}"), std::string::npos);
    EXPECT_FALSE(router.add(std::nullopt, "/a/{z}", 9));
    EXPECT_FALSE(router.add(Method::get, "/r/{y...}", 9));
    EXPECT_TRUE(router.add(Method::put, "/a/{y}", 9));
}

// Goal: malformed patterns are refused when they are added, not when they are matched.
TEST(Router, AddMalformedPatternIsInvalid) {
    Router router;
    for (const auto* pattern : {"", "a", "/{", "/{}", "/a{b}", "/{a}b", "/{a}{b}", "/{...}", "/{a...}/b", "/{a}/{a}",
                                "/a}", "/a/../b", "/."}) {
        const auto added = router.add(Method::get, pattern, 0);
        ASSERT_FALSE(added) << pattern;
        EXPECT_EQ(added.error().kind(), Kind::invalid) << pattern;
    }
}

// Goal: names and patterns of a match outlive a move of the router.
TEST(Router, MoveKeepsRoutes) {
    auto first = router_of({{Method::get, "/x/{id}"}});
    const Router second = std::move(first);
    const auto match = second.match(Method::get, "/x/1");
    ASSERT_TRUE(match);
    EXPECT_EQ(match->pattern, "/x/{id}");
    EXPECT_EQ(match->parameters.at(0).first, "id");
}

} // namespace
} // namespace flotilla::http::router_test
