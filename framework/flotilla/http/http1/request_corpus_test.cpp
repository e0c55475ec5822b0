#include <vector>

#include <gtest/gtest.h>

#include <flotilla/http/http1/codec_driver.hpp>
#include <flotilla/http/http1/corpus.hpp>

namespace flotilla::http::request_corpus_test {
namespace {

/// What one message amounts to, as the corpus writes it.
CorpusVerdict read_message(std::string_view& bytes, std::size_t step) {
    RequestHead head;
    RequestParser parser;
    BodyDecoder decoder;
    Headers trailers;
    parser.start(head, HeadLimits{});
    bool too_large = false;
    const auto result = decode(parser, decoder, bytes, step, [&](BodyDecoder& body) {
        const auto framing = parser.framing().request_body();
        too_large = framing == BodyFraming::known && parser.framing().length() > kCorpusBodyMax; // as the server does
        body.start(framing, parser.framing().length(), kCorpusBodyMax, trailers, HeadLimits{}, Origin::client);
    });
    bytes.remove_prefix(result.consumed);
    if (too_large) return {.status = 413};
    if (result.status != 0) return {.status = result.status};
    if (!result.complete) return {.text = "..."};
    return {.text = described(head, result.body, trailers)};
}

// Goal: every message gets the RFC's verdict, however the bytes arrive.
TEST(RequestParser, CorpusGetsTheVerdicts) {
    for (const auto& each : CorpusReader::read()) {
        for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::string::npos / 2}) {
            std::string_view rest = each.bytes;
            for (const auto& want : each.want) {
                const auto found = read_message(rest, step);
                EXPECT_EQ(found.status, want.status) << each.name << ", in pieces of " << step;
                EXPECT_EQ(found.text, want.text) << each.name << ", in pieces of " << step;
            }
        }
    }
}

// Goal: the corpus stays as large as it was promised to be.
TEST(RequestParser, CorpusHoldsAtLeast250HostileMessages) {
    std::size_t refused = 0;
    for (const auto& each : CorpusReader::read()) {
        ASSERT_FALSE(each.want.empty()) << each.name;
        refused += each.want.back().refused() ? 1 : 0;
    }
    EXPECT_GE(refused, 250u);
}

// Goal: parsing the same shape again allocates nothing: the head's buffers are reused.
TEST(RequestParser, StartAgainReusesTheBuffers) {
    const std::string bytes = "GET /a/rather/long/path/that/is/not/short?with=query HTTP/1.1\r\nHost: "
                              "a.example\r\nAccept: */*\r\nX-Y: zzz\r\n\r\n";
    RequestHead head;
    RequestParser parser;
    std::size_t consumed = 0;
    parser.start(head, HeadLimits{});
    ASSERT_EQ(parser.feed(bytes, consumed), Progress::done);
    const void* target = head.target.data();
    const void* field = head.headers[0].name.data();
    parser.start(head, HeadLimits{});
    ASSERT_EQ(parser.feed(bytes, consumed), Progress::done);
    EXPECT_EQ(head.target.data(), target);
    EXPECT_EQ(head.headers[0].name.data(), field);
    EXPECT_EQ(consumed, bytes.size());
}

// Goal: framing fields and Host do not reach the handler; Connection and the rest keep order and spelling.
TEST(RequestParser, FieldsAreParsedFramingIsKeptApart) {
    const std::string bytes =
        "POST /p HTTP/1.1\r\nHost: a.example\r\n"
        "X-A: 1\r\ncontent-length: 2\r\nExpect: 100-continue\r\nConnection: Keep-Alive, upgrade\r\nx-a: 2\r\n\r\n";
    RequestHead head;
    RequestParser parser;
    std::size_t consumed = 0;
    parser.start(head, HeadLimits{});
    ASSERT_EQ(parser.feed(bytes, consumed), Progress::done);
    ASSERT_EQ(head.headers.size(), 3u);
    EXPECT_EQ(head.headers[0].name, "X-A");
    EXPECT_EQ(head.headers[1].value, "Keep-Alive, upgrade");
    EXPECT_EQ(head.headers[2].name, "x-a");
    EXPECT_TRUE(parser.expects_continue());
    EXPECT_TRUE(parser.framing().keep_alive());
    EXPECT_TRUE(parser.framing().upgrade());
    EXPECT_EQ(parser.framing().length(), 2u);
}

// Goal: whether a connection is kept follows version and Connection (RFC 9112 §9.3).
TEST(RequestParser, KeepAliveFollowsVersionAndConnection) {
    const auto keeps = [](const std::string& bytes) {
        RequestHead head;
        RequestParser parser;
        std::size_t consumed = 0;
        parser.start(head, HeadLimits{});
        EXPECT_EQ(parser.feed(bytes, consumed), Progress::done) << bytes;
        return parser.framing().keep_alive();
    };
    EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: x, close\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
    EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

} // namespace
} // namespace flotilla::http::request_corpus_test
