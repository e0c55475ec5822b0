#include <flotilla/http/http1/codec_driver.hpp>

#include <vector>

#include <gtest/gtest.h>

namespace flotilla::http::response_corpus_test {
namespace {

/// A response and the verdict: refused, or "status [body]", "..." when it was cut.
struct Case {
    std::string name;
    std::string bytes;
    bool refused;
    std::string expected;
    bool to_head = false;
    std::string fields = {}; ///< those that are kept, trailers behind a '|'; not looked at when empty
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
        {"no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false, "200 []"},
        {"tab after the status", "HTTP/1.1 200\tOK\r\n\r\n", true, ""},
        {"nothing after the version", "HTTP/1.1\r\n\r\n", true, ""},
        {"no status", "HTTP/1.1 \r\n\r\n", true, ""},
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
        {"obs-fold", ok("X: y\r\n z\r\n \t\r\n\tw \r\nContent-Length: 2\r\n", "hi"), false, "200 [hi]", false,
         "X: y z  w"},
        {"obs-fold of a framing field", ok("Transfer-Encoding:\r\n chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"), false,
         "200 [hi]"},
        {"obs-fold makes two lengths of one", ok("Content-Length: 2\r\n 3\r\n", "hi"), true, ""},
        {"obs-fold hides a control character", ok("X: y\r\n \x01\r\nContent-Length: 2\r\n", "hi"), true, ""},
        {"obs-fold with a bare LF", ok("X: y\n z\r\nContent-Length: 2\r\n", "hi"), true, ""},
        {"obs-fold before the first field", "HTTP/1.1 200 OK\r\n X: y\r\nContent-Length: 2\r\n\r\nhi", true, ""},
        {"obs-fold too large", ok("X:\r\n " + std::string(300, 'y') + "\r\n " + std::string(300, 'y') + "\r\n", ""),
         true, ""},
        {"a body that begins with a space is no fold", ok("Content-Length: 2\r\n", " x"), false, "200 [ x]"},
        {"space before the colon", ok("X-A \t: 1\r\nContent-Length : 2\r\n", "hi"), false, "200 [hi]", false, "X-A: 1"},
        {"space in a name", ok("X A: 1\r\n", ""), true, ""},
        {"space and no colon", ok("X \r\n", ""), true, ""},
        {"trailer that may be none",
         ok("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\nExpires: 0\r\nX-Sum : 1\r\n 2\r\n\r\n"), false,
         "200 [hi]", false, "|X-Sum: 1 2"},
        {"trailers that frame",
         ok("Transfer-Encoding: chunked\r\n",
            "2\r\nhi\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nHost: y\r\nX-Sum: 1\r\n\r\n"),
         false, "200 [hi]", false, "|X-Sum: 1"},
        {"trailer without a colon", ok("Transfer-Encoding: chunked\r\n", "0\r\nX\r\n\r\n"), true, ""},
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

std::string described(const Headers& fields) {
    std::string text;
    for (std::size_t i = 0; i < fields.size(); ++i)
        text.append(text.empty() ? "" : ", ").append(fields[i].name).append(": ").append(fields[i].value);
    return text;
}

// Goal: responses are parsed as strictly as requests but where RFC 9112 has a proxy put them right, however the bytes
// arrive.
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
                           1'000'000, trailers, kLimits, Origin::server);
            });
            EXPECT_EQ(result.status != 0, each.refused) << each.name << ", in pieces of " << step;
            if (each.refused) continue;
            const auto text =
                result.complete ? std::to_string(head.status) + " [" + result.body + "]" : std::string("...");
            EXPECT_EQ(text, each.expected) << each.name << ", in pieces of " << step;
            if (each.fields.empty()) continue;
            const auto fields = described(head.headers) + (trailers.size() > 0 ? "|" + described(trailers) : "");
            EXPECT_EQ(fields, each.fields) << each.name << ", in pieces of " << step;
        }
    }
}

// Goal: a refusal says what was wrong and where, without telling values.
TEST(ResponseParser, RefusalNamesTheFault) {
    struct Refused {
        std::string bytes, text, at;
    };
    const std::vector<Refused> refusals{
        {"SSH-2.0-OpenSSH_9.2\r\n", "the answer does not begin with an HTTP/1.1 status line", "SSH-2.0-OpenSSH_9.2"},
        {"HTTP/1.1 2x0 OK\r\n", "the status is not a number of three digits", "HTTP/1.1 2x0 OK"},
        {"HTTP/1.1 200 OK\nX: y\r\n", "a line ends with LF alone", "HTTP/1.1 200 OK"},
        {ok("Set-Cookie: secret\x01\r\n", ""), "a header field's value holds a control character", "Set-Cookie"},
        {ok("Set-Cookie: a\r\n secret\x01\r\n", ""), "a header field's value holds a control character", "Set-Cookie"},
        {ok("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:\r\nJ:\r\nK:\r\n", ""),
         "there are too many header fields (more than 10)", "K"},
        {ok("X: " + std::string(500, 'y') + "\r\n", ""), "the header fields are too large (more than 400 bytes)", "X"},
    };
    for (const auto& each : refusals) {
        ResponseHead head;
        ResponseParser parser;
        std::size_t consumed = 0;
        parser.start(head, kLimits);
        ASSERT_EQ(parser.feed(each.bytes, consumed), Progress::failed) << each.bytes;
        EXPECT_EQ(parser.error().text(), each.text);
        EXPECT_EQ(parser.failed_at(), each.at);
    }
}

} // namespace
} // namespace flotilla::http::response_corpus_test
