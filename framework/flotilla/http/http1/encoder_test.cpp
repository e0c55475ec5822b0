#include <flotilla/http/http1/encoder.hpp>

#include <gtest/gtest.h>

namespace flotilla::http::encoder_test {
namespace {

// Goal: a response says the codec's framing, never the caller's.
TEST(Encoder, ResponseHeadCallersFramingIsIgnored) {
    ResponseHead head{.status = 404, .headers = {}};
    head.headers.add("Content-Length", "99");
    head.headers.add("transfer-encoding", "gzip");
    head.headers.add("Connection", "X-Secret");
    head.headers.add("Upgrade", "x");
    head.headers.add("X-A", "b");
    std::string out;
    encode_response_head(out, head, {HeadFraming::Length::bytes, 3, HeadFraming::Connection::close}, "now");
    EXPECT_EQ(out, "HTTP/1.1 404 Not Found\r\nX-A: b\r\nDate: now\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
}

// Goal: a Date that came with the response (a proxy's) stays the only one.
TEST(Encoder, ResponseHeadWithDateAddsNone) {
    ResponseHead head;
    head.headers.add("date", "then");
    std::string out;
    encode_response_head(out, head, {HeadFraming::Length::chunked, 0, HeadFraming::Connection::unsaid}, "now");
    EXPECT_EQ(out, "HTTP/1.1 200 OK\r\ndate: then\r\nTransfer-Encoding: chunked\r\n\r\n");
}

// Goal: a status without a phrase of ours keeps the space before it (RFC 9112 §4).
TEST(Encoder, ResponseHeadWithoutAPhraseKeepsTheSpace) {
    std::string out;
    encode_response_head(out, {.status = 299, .headers = {}}, {}, "now");
    EXPECT_EQ(out, "HTTP/1.1 299 \r\nDate: now\r\n\r\n");
}

// Goal: an upgrade keeps the Upgrade field and names it in Connection.
TEST(Encoder, ResponseHeadOfUpgradeKeepsUpgrade) {
    ResponseHead head{.status = 101, .headers = {}};
    head.headers.add("Upgrade", "websocket");
    std::string out;
    encode_response_head(out, head, {HeadFraming::Length::absent, 0, HeadFraming::Connection::upgrade}, "now");
    EXPECT_EQ(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}

// Goal: Host comes from the authority, once.
TEST(Encoder, RequestHeadHostIsTheAuthority) {
    RequestHead head{.method = Method::post, .method_name = "POST", .target = "/a?b", .authority = {}, .headers = {}};
    head.headers.add("Host", "evil");
    head.headers.add("Accept", "*/*");
    std::string out;
    ASSERT_TRUE(
        encode_request_head(out, head, "a.example", {HeadFraming::Length::bytes, 2, HeadFraming::Connection::unsaid}));
    EXPECT_EQ(out, "POST /a?b HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nContent-Length: 2\r\n\r\n");
}

// Goal: TE is for the next recipient alone, and Connection says so.
TEST(Encoder, RequestHeadWithTeNamesItInConnection) {
    RequestHead head;
    head.headers.add("TE", "trailers");
    std::string out;
    ASSERT_TRUE(encode_request_head(out, head, "a", {}));
    EXPECT_EQ(out, "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n");
    out.clear();
    ASSERT_TRUE(encode_request_head(out, head, "a", {.connection = HeadFraming::Connection::close}));
    EXPECT_TRUE(out.ends_with("\r\nConnection: close, TE\r\n\r\n")) << out;
}

// Goal: text that would start another line or another word is never sent.
TEST(Encoder, RequestHeadWithInjectionIsRefused) {
    std::string out;
    const auto encodes = [&out](std::string method, std::string target, std::string authority) {
        RequestHead head;
        head.method_name = std::move(method);
        head.target = std::move(target);
        return encode_request_head(out, head, authority, {});
    };
    EXPECT_FALSE(encodes("GET", "/a HTTP/1.1\r\nX: y", "a"));
    EXPECT_FALSE(encodes("GET", "/a b", "a"));
    EXPECT_FALSE(encodes("GET", "", "a"));
    EXPECT_FALSE(encodes("GET /x", "/", "a"));
    EXPECT_FALSE(encodes("GET", "/", "a\r\nX: y"));
    EXPECT_FALSE(encodes("GET", "/", ""));
    EXPECT_EQ(out, "");
    EXPECT_TRUE(encodes("GET", "/", "a"));
}

// Goal: chunks and trailers as RFC 9112 §7.1 wants them; framing trailers are dropped.
TEST(Encoder, ChunksAndTrailersAreWellFormed) {
    std::string out;
    encode_chunk_line(out, 0x1aF);
    EXPECT_EQ(out, "1af\r\n");
    Headers trailers;
    trailers.add("X-Sum", "7");
    trailers.add("Content-Length", "7");
    out.clear();
    encode_last_chunk(out, trailers);
    EXPECT_EQ(out, "0\r\nX-Sum: 7\r\n\r\n");
}

} // namespace
} // namespace flotilla::http::encoder_test
