#include <flotilla/http/content_type.hpp>

#include <gtest/gtest.h>

namespace flotilla::http::content_type_test {
namespace {

bool gzip(std::initializer_list<std::string_view> lines) {
    Headers headers;
    for (const auto line : lines)
        headers.add("Accept-Encoding", line);
    return accepts_gzip(headers);
}

// Goal: the extension decides, whatever its case; text is UTF-8; what is unknown is bytes.
TEST(ContentType, ExtensionDecides) {
    EXPECT_EQ(content_type_of("index.html"), "text/html; charset=utf-8");
    EXPECT_EQ(content_type_of("a/b.min.JS"), "text/javascript; charset=utf-8");
    EXPECT_EQ(content_type_of("x.css"), "text/css; charset=utf-8");
    EXPECT_EQ(content_type_of("x.json"), "application/json");
    EXPECT_EQ(content_type_of("x.svg"), "image/svg+xml");
    EXPECT_EQ(content_type_of("x.woff2"), "font/woff2");
    EXPECT_EQ(content_type_of("x.wasm"), "application/wasm");
    EXPECT_EQ(content_type_of("x.tar.gz"), "application/gzip");
    EXPECT_EQ(content_type_of("README"), "application/octet-stream");
    EXPECT_EQ(content_type_of("x."), "application/octet-stream");
    EXPECT_EQ(content_type_of("x.unknown"), "application/octet-stream");
}

// Goal: gzip is taken where it is named, or "*", with a weight above zero and no less than the plain content's.
TEST(AcceptEncoding, GzipIsTakenWhereItIsLiked) {
    EXPECT_TRUE(gzip({"gzip"}));
    EXPECT_TRUE(gzip({"deflate, GZip;q=0.5, br"}));
    EXPECT_TRUE(gzip({"br", "x-gzip"}));
    EXPECT_TRUE(gzip({"*"}));
    EXPECT_TRUE(gzip({"*;q=0, gzip;q=0.001"}));
    EXPECT_TRUE(gzip({"gzip ; q=1.000, identity; q=1"}));
    EXPECT_FALSE(gzip({}));
    EXPECT_FALSE(gzip({""}));
    EXPECT_FALSE(gzip({"identity"}));
    EXPECT_FALSE(gzip({"br, deflate"}));
    EXPECT_FALSE(gzip({"gzip;q=0"}));
    EXPECT_FALSE(gzip({"gzip;q=0.0, *"}));
    EXPECT_FALSE(gzip({"*;q=0"}));
    EXPECT_FALSE(gzip({"gzip;q=0.5, identity"}));
    EXPECT_FALSE(gzip({"gzip;q=2"})) << "no weight is above 1";
    EXPECT_FALSE(gzip({"gzip;q=x"}));
    EXPECT_FALSE(gzip({"gzippy"}));
}

} // namespace
} // namespace flotilla::http::content_type_test
