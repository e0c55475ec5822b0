#include "gateway/core/path.hpp"

#include <gtest/gtest.h>

namespace flotilla::gateway::path_test {
namespace {

std::string normal(std::string_view path) {
    std::string buffer;
    auto result = normalise_path(path, buffer);
    return result ? std::string(*result) : "error: " + result.error().message();
}

// Goal: an ordinary path is not copied.
TEST(NormalisePath, NormalPathIsReturnedItself) {
    std::string buffer;
    const std::string_view path = "/api/users/1b4e28ba/a.b/~x/@me;v=1/";
    const auto result = normalise_path(path, buffer);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->data(), path.data());
    EXPECT_EQ(*result, path);
}

// Goal: dot segments, also escaped ones, never reach the router or an upstream, and cannot climb above the root.
TEST(NormalisePath, DotSegmentsAreRemoved) {
    EXPECT_EQ(normal("/a/./b"), "/a/b");
    EXPECT_EQ(normal("/a/../b"), "/b");
    EXPECT_EQ(normal("/a/b/.."), "/a/");
    EXPECT_EQ(normal("/a/b/."), "/a/b/");
    EXPECT_EQ(normal("/../../etc"), "/etc");
    EXPECT_EQ(normal("/.."), "/");
    EXPECT_EQ(normal("/%2e%2E/a"), "/a");
    EXPECT_EQ(normal("/a/.%2e/b"), "/b");
    EXPECT_EQ(normal("/.well-known/x"), "/.well-known/x");
    EXPECT_EQ(normal("/a/..."), "/a/...");
}

// Goal: repeated slashes count as one.
TEST(NormalisePath, RepeatedSlashesAreMerged) {
    EXPECT_EQ(normal("//a///b//"), "/a/b/");
    EXPECT_EQ(normal("//"), "/");
    EXPECT_EQ(normal("/a//../b"), "/b");
}

// Goal: equal paths get equal text; an escaped slash stays part of its segment.
TEST(NormalisePath, EscapesGetOneForm) {
    EXPECT_EQ(normal("/%75sers"), "/users");
    EXPECT_EQ(normal("/a%2fb"), "/a%2Fb");
    EXPECT_EQ(normal("/..a%2f.b"), "/..a%2F.b");
    EXPECT_EQ(normal("/a%5c"), "/a%5C");
    EXPECT_EQ(normal("/[x]|^"), "/%5Bx%5D%7C%5E");
    EXPECT_EQ(normal("/caf\xc3\xa9"), "/caf%C3%A9");
    EXPECT_EQ(normal("/a%252e"), "/a%252e");
}

// Goal: what has no safe reading is refused.
TEST(NormalisePath, AmbiguousPathIsAnError) {
    for (const std::string_view path :
         {"/%", "/%2", "/%zz", "/a%0", "/%00", "/a\\b", "/..;/x", "/.;a", "/%2e%2e;x", "/..%2fetc", "/a%2F..",
          "/a%5c%2e%2e%5cb", "/a%2f.%2fb", "/x/..%5C..%2fetc", "/a%2f..;x", "*", ""}) {
        EXPECT_TRUE(normal(path).starts_with("error: the path ")) << path << " became " << normal(path);
    }
}

// Goal: each spelling that somebody reads as one of the gateway's pages is one, or is not let through.
TEST(OwnPage, SpellingsAreRecognised) {
    const auto of = [](std::string_view path) {
        std::string buffer;
        return own_page(normalise_path(path, buffer).value());
    };
    for (const auto* page : {"/livez", "/readyz", "/healthz", "/metrics", "/targetz", "/%6detrics", "//livez",
                             "/x/../metrics", "/./readyz", "/x/%2e%2e/%68ealthz"}) {
        EXPECT_EQ(of(page), OwnPage::page) << page;
    }
    for (const auto* disguised : {"/metrics/", "/Metrics", "/metrics;x=1", "/LIVEZ/", "/metrics%2f", "/metrics%3bx",
                                  "/metrics%5C", "/metrics/;x", "/Targetz"}) {
        EXPECT_EQ(of(disguised), OwnPage::disguised) << disguised;
    }
    for (const auto* other : {"/", "/metric", "/metrics2", "/metrics/x", "/metrics.json", "/x/metrics", "/livez-x"})
        EXPECT_EQ(of(other), OwnPage::none) << other;
}

} // namespace
} // namespace flotilla::gateway::path_test
