#include <flotilla/http/http1/codec_driver.hpp>

#include <vector>

#include <gtest/gtest.h>

namespace flotilla::http {
namespace {

/// A response and the verdict: refused, or "status [body]", "..." when it was cut.
struct Case {
    std::string name;
    std::string bytes;
    bool refused;
    std::string expected;
    bool to_head = false;
};

const HeadLimits kLimits{.start_line_bytes = 200, .field_bytes = 400, .field_count = 10};

std::string ok(const std::string& fields, const std::string& body) {
    return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body;
}

const std::vector<Case>& corpus() {
    static const std::vector<Case> cases{
        {"length", ok("Content-Length: 5\r\n", "hello"), false, "200 [hello]"},
        {"length, more follows", ok("Content-Length: 5\r\n", "helloHTTP"), false, "200 [hello]"},
        {"empty", ok("Content-Length: 0\r\n", ""), false, "200 []"},
        {"until the end", ok("", "hello"), false, "200 [hello]"},
        {"chunked", ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), false, "200 [hello]"},
        {"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", false, "200 []"},
        {"reason with obs-text", "HTTP/1.1 200 \xc3\xa9\r\nContent-Length: 0\r\n\r\n", false, "200 []"},
        {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", false, "200 [hi]"},
        {"status without a phrase of ours", "HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n", false, "599 []"},
        {"204 has no body", "HTTP/1.1 204 No Content\r\n\r\nhi", false, "204 []"},
        {"304 has no body", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", false, "304 []"},
        {"HEAD has no body", ok("Content-Length: 5\r\n", "hello"), false, "200 []", true},
        {"HEAD of chunked has no body", ok("Transfer-Encoding: chunked\r\n", "5\r\n"), false, "200 []", true},
        {"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1", false, "100 []"},
        {"equal lengths", ok("Content-Length: 2\r\nContent-Length: 2\r\n", "hi"), false, "200 [hi]"},
        {"cut by length", ok("Content-Length: 5\r\n", "hel"), false, "..."},
        {"cut in a chunk", ok("Transfer-Encoding: chunked\r\n", "5\r\nhel"), false, "..."},
        {"cut before the last chunk", ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"), false, "..."},
        {"cut head", "HTTP/1.1 200 OK\r\nContent-Le", false, "..."},
        {"empty line first", "\r\n" + ok("Content-Length: 0\r\n", ""), true, ""},
        {"no space after the status", "HTTP/1.1 200\r\n\r\n", true, ""},
        {"two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", true, ""},
        {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", true, ""},
        {"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", true, ""},
        {"status with a letter", "HTTP/1.1 2x0 OK\r\n\r\n", true, ""},
        {"status below 100", "HTTP/1.1 099 OK\r\n\r\n", true, ""},
        {"status above 599", "HTTP/1.1 600 OK\r\n\r\n", true, ""},
        {"version 2", "HTTP/2.0 200 OK\r\n\r\n", true, ""},
        {"lower-case version", "http/1.1 200 OK\r\n\r\n", true, ""},
        {"other protocol", "SSH-2.0-OpenSSH_9.2\r\n", true, ""},
        {"HTTP/0.9", "<html></html>\n", true, ""},
        {"reason with a control character", "HTTP/1.1 200 O\x01K\r\n\r\n", true, ""},
        {"reason with a bare CR", "HTTP/1.1 200 O\rK\r\n\r\n", true, ""},
        {"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", true, ""},
        {"bare LF after a field", "HTTP/1.1 200 OK\r\nX: y\n\r\n", true, ""},
        {"obs-fold", ok("X: y\r\n z\r\n", ""), true, ""},
        {"space before the colon", ok("Content-Length : 2\r\n", "hi"), true, ""},
        {"bad name", ok("X[]: y\r\n", ""), true, ""},
        {"bad value", ok("X: \x02\r\n", ""), true, ""},
        {"no colon", ok("X\r\n", ""), true, ""},
        {"differing lengths", ok("Content-Length: 2\r\nContent-Length: 3\r\n", "hi!"), true, ""},
        {"differing lengths beyond 64 bits, to HEAD",
         ok("Content-Length: 99999999999999999999\r\nContent-Length: 99999999999999999998\r\n", ""), true, "", true},
        {"length is no number", ok("Content-Length: two\r\n", "hi"), true, ""},
        {"length and chunked", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), true, ""},
        {"unknown coding", ok("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), true, ""},
        {"chunked not last", ok("Transfer-Encoding: chunked, gzip\r\n", ""), true, ""},
        {"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true, ""},
        {"bad chunk size", ok("Transfer-Encoding: chunked\r\n", "x\r\n"), true, ""},
        {"chunk longer than its size", ok("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n"), true, ""},
        {"status line too long", "HTTP/1.1 200 " + std::string(300, 'x') + "\r\n\r\n", true, ""},
        {"fields too large", ok("X: " + std::string(500, 'y') + "\r\n", ""), true, ""},
        {"too many fields", ok("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:\r\nJ:\r\nK:\r\n", ""), true, ""},
    };
    return cases;
}

// Goal: responses are parsed as strictly as requests, however the bytes arrive.
TEST(ResponseParser, CorpusGetsTheVerdicts) {
    for (const auto& each : corpus()) {
        for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::string::npos / 2}) {
            ResponseHead head;
            ResponseParser parser;
            BodyDecoder decoder;
            Headers trailers;
            parser.start(head, kLimits);
            const auto result = decode(parser, decoder, each.bytes, step, [&](BodyDecoder& body) {
                body.start(parser.framing().response_body(head.status, each.to_head), parser.framing().length(),
                           1'000'000, trailers, kLimits);
            });
            EXPECT_EQ(result.status != 0, each.refused) << each.name << ", in pieces of " << step;
            if (each.refused) continue;
            const auto text =
                result.complete ? std::to_string(head.status) + " [" + result.body + "]" : std::string("...");
            EXPECT_EQ(text, each.expected) << each.name << ", in pieces of " << step;
        }
    }
}

} // namespace
} // namespace flotilla::http
