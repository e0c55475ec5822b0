#include <flotilla/http/http1/codec_driver.hpp>

#include <vector>

#include <gtest/gtest.h>

namespace flotilla::http {
namespace {

/// A message and the RFC's verdict. `expected` for a valid one: "METHOD target authority [body]", its trailers in <>;
/// "..." when more must come first. `status`: of the refusal.
struct Case {
    std::string name;
    std::string bytes;
    int status;
    std::string expected;
};

constexpr std::size_t kBodyMax = 1000;
const HeadLimits kLimits{.start_line_bytes = 100, .field_bytes = 400, .field_count = 10};
const std::string kHost = "Host: a.example\r\n";

std::string get(const std::string& fields) { return "GET / HTTP/1.1\r\n" + kHost + fields + "\r\n"; }
std::string post(const std::string& fields, const std::string& body) {
    return "POST /p HTTP/1.1\r\n" + kHost + fields + "\r\n" + body;
}
std::string chunked(const std::string& body) { return post("Transfer-Encoding: chunked\r\n", body); }
std::string line(const std::string& request_line) { return request_line + "\r\n" + kHost + "\r\n"; }

const std::vector<Case>& corpus() {
    static const std::vector<Case> cases{
        // Request lines
        {"minimal", get(""), 0, "GET / a.example []"},
        {"path and query", line("GET /a/b?c=d&e HTTP/1.1"), 0, "GET /a/b?c=d&e a.example []"},
        {"percent-encoding stays", line("GET /a%2Fb%20c HTTP/1.1"), 0, "GET /a%2Fb%20c a.example []"},
        {"sub-delimiters", line("GET /!$&'()*+,;=:@-._~ HTTP/1.1"), 0, "GET /!$&'()*+,;=:@-._~ a.example []"},
        {"bare characters of browsers", line("GET /[a]|^?x={y}`\\ HTTP/1.1"), 0, "GET /[a]|^?x={y}`\\ a.example []"},
        {"unknown method", line("PURGE /x HTTP/1.1"), 0, "PURGE /x a.example []"},
        {"method of odd token characters", line("M-SEARCH*'x /x HTTP/1.1"), 0, "M-SEARCH*'x /x a.example []"},
        {"lower-case method is another method", line("get / HTTP/1.1"), 0, "get / a.example []"},
        {"later minor version", line("GET / HTTP/1.9"), 0, "GET / a.example []"},
        {"one empty line before", "\r\n" + get(""), 0, "GET / a.example []"},
        {"two empty lines before", "\r\n\r\n" + get(""), 400, ""},
        {"bare LF before", "\n" + get(""), 400, ""},
        {"space before the method", line(" GET / HTTP/1.1"), 400, ""},
        {"method with a colon", line("GE:T / HTTP/1.1"), 400, ""},
        {"method with a control character", line("G\x01T / HTTP/1.1"), 400, ""},
        {"no method", line("/ HTTP/1.1"), 400, ""},
        {"two spaces after the method", line("GET  / HTTP/1.1"), 400, ""},
        {"two spaces before the version", line("GET /  HTTP/1.1"), 400, ""},
        {"tab instead of space", line("GET\t/ HTTP/1.1"), 400, ""},
        {"space in the target", line("GET /a b HTTP/1.1"), 400, ""},
        {"space after the version", line("GET / HTTP/1.1 "), 400, ""},
        {"no target", line("GET HTTP/1.1"), 400, ""},
        {"empty target", line("GET  HTTP/1.1"), 400, ""},
        {"no version", line("GET /"), 400, ""},
        {"no version but a space", "GET / \r\n\r\n", 400, ""},
        {"lower-case version", line("GET / http/1.1"), 400, ""},
        {"version without minor", line("GET / HTTP/1"), 400, ""},
        {"version with two digits", line("GET / HTTP/1.10"), 400, ""},
        {"version with a letter", line("GET / HTTP/1.x"), 400, ""},
        {"other protocol", line("GET / RTSP/1.0"), 400, ""},
        {"HTTP/2.0", line("GET / HTTP/2.0"), 505, ""},
        {"HTTP/0.9 with its version", line("GET / HTTP/0.9"), 505, ""},
        {"HTTP/9.9", line("GET / HTTP/9.9"), 505, ""},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, ""},
        {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\n", 7), 400, ""},
        {"fragment in the target", line("GET /a#b HTTP/1.1"), 400, ""},
        {"quote in the target", line("GET /a\"b HTTP/1.1"), 400, ""},
        {"angle bracket in the target", line("GET /a?<b> HTTP/1.1"), 400, ""},
        {"backslash in the path", line("GET /a\\b HTTP/1.1"), 400, ""},
        {"byte above ASCII in the target", line("GET /\xc3\xa9 HTTP/1.1"), 400, ""},
        {"control character in the target",
         line("GET /a\x01"
              "b HTTP/1.1"),
         400, ""},
        {"DEL in the target", line("GET /a\x7f HTTP/1.1"), 400, ""},
        {"NUL in the target", line(std::string("GET /a\0b HTTP/1.1", 17)), 400, ""},
        {"CR in the target", line("GET /a\rb HTTP/1.1"), 400, ""},
        {"relative target", line("GET a/b HTTP/1.1"), 400, ""},
        {"request line of the longest length", line("GET /" + std::string(86, 'x') + " HTTP/1.1"), 0,
         "GET /" + std::string(86, 'x') + " a.example []"},
        {"request line too long", line("GET /" + std::string(87, 'x') + " HTTP/1.1"), 414, ""},
        {"request line too long that ends with LF alone", "GET /" + std::string(200, 'x') + "\n", 414, ""},
        {"request line without end", "GET /" + std::string(1000, 'x'), 414, ""},
        {"method without end", std::string(1000, 'G'), 414, ""},
        // Target forms
        {"absolute form", line("GET http://b.example:81/x?y HTTP/1.1"), 0, "GET /x?y b.example:81 []"},
        {"absolute form, https and case", line("GET HTTPS://b.example/x HTTP/1.1"), 0, "GET /x b.example []"},
        {"absolute form without a path", line("GET http://b.example HTTP/1.1"), 0, "GET / b.example []"},
        {"absolute form, only a query", line("GET http://b.example?q HTTP/1.1"), 0, "GET /?q b.example []"},
        {"absolute form still wants Host", "GET http://b.example/ HTTP/1.1\r\n\r\n", 400, ""},
        {"absolute form with userinfo", line("GET http://u@b.example/ HTTP/1.1"), 400, ""},
        {"absolute form without a host", line("GET http:///x HTTP/1.1"), 400, ""},
        {"absolute form cut after its scheme", line("GET http HTTP/1.1"), 400, ""},
        {"absolute form cut after its colon", line("GET https: HTTP/1.1"), 400, ""},
        {"absolute form with one slash", line("GET http:/a.example HTTP/1.1"), 400, ""},
        {"absolute form of another scheme", line("GET ftp://b.example/ HTTP/1.1"), 400, ""},
        {"asterisk", line("OPTIONS * HTTP/1.1"), 0, "OPTIONS * a.example []"},
        {"asterisk by absolute form", line("OPTIONS http://b.example HTTP/1.1"), 0, "OPTIONS * b.example []"},
        {"asterisk of another method", line("GET * HTTP/1.1"), 400, ""},
        {"authority form", line("CONNECT b.example:443 HTTP/1.1"), 0, "CONNECT b.example:443 a.example []"},
        {"authority form without a port", line("CONNECT b.example HTTP/1.1"), 400, ""},
        {"CONNECT with a path", line("CONNECT /x HTTP/1.1"), 400, ""},
        {"authority form of another method", line("GET b.example:443 HTTP/1.1"), 400, ""},
        // Host
        {"no Host", "GET / HTTP/1.1\r\n\r\n", 400, ""},
        {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0, "GET /  []"},
        {"Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", 0, "GET / a []"},
        {"two Hosts", get("Host: a.example\r\n"), 400, ""},
        {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, ""},
        {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, ""},
        {"Host with a port", "GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", 0, "GET / a:8080 []"},
        {"Host in mixed case, with tabs", "GET / HTTP/1.1\r\nhOsT:\ta\t\r\n\r\n", 0, "GET / a []"},
        {"Host of IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, "GET / [::1]:80 []"},
        {"Host of open IPv6", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, ""},
        {"Host with letters as port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, ""},
        {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, ""},
        {"Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, ""},
        {"Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, ""},
        {"Host is a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, ""},
        // Header fields
        {"empty value", get("X:\r\n"), 0, "GET / a.example []"},
        {"no space after the colon", get("X:y\r\n"), 0, "GET / a.example []"},
        {"obs-text in a value", get("X: \xc3\xa9\xff\r\n"), 0, "GET / a.example []"},
        {"tab in a value", get("X: a\tb\r\n"), 0, "GET / a.example []"},
        {"odd token characters in a name", get("X!#$%&'*+-.^_`|~9: y\r\n"), 0, "GET / a.example []"},
        {"space before the colon", get("X : y\r\n"), 400, ""},
        {"tab before the colon", get("X\t: y\r\n"), 400, ""},
        {"space before Content-Length's colon", post("Content-Length : 5\r\n", "hello"), 400, ""},
        {"space inside a name", get("X Y: z\r\n"), 400, ""},
        {"space before a name", "GET / HTTP/1.1\r\n X: y\r\n" + kHost + "\r\n", 400, ""},
        {"obs-fold with a space", get("X: y\r\n z\r\n"), 400, ""},
        {"obs-fold with a tab", get("X: y\r\n\tz\r\n"), 400, ""},
        {"no colon", get("X\r\n"), 400, ""},
        {"empty name", get(": y\r\n"), 400, ""},
        {"brackets in a name", get("X[]: y\r\n"), 400, ""},
        {"byte above ASCII in a name", get("X\xe9: y\r\n"), 400, ""},
        {"slash in a name", get("X/Y: z\r\n"), 400, ""},
        {"bell in a value", get("X: a\x07\r\n"), 400, ""},
        {"DEL in a value", get("X: a\x7f\r\n"), 400, ""},
        {"NUL in a value", get(std::string("X: a\0b\r\n", 8)), 400, ""},
        {"NUL in a name", get(std::string("X\0: b\r\n", 7)), 400, ""},
        {"CR in a value", get("X: a\rb\r\n"), 400, ""},
        {"CR before CRLF", get("X: a\r\r\n"), 400, ""},
        {"CR at the start of a line", get("\rX: a\r\n"), 400, ""},
        {"bare LF after a field", get("X: a\n"), 400, ""},
        {"bare LF after the request line", "GET / HTTP/1.1\n" + kHost + "\r\n", 400, ""},
        {"bare LF as the last line", "GET / HTTP/1.1\r\n" + kHost + "\n", 400, ""},
        {"fields of the largest size", get("X: " + std::string(378, 'y') + "\r\n"), 0, "GET / a.example []"},
        {"fields too large", get("X: " + std::string(379, 'y') + "\r\n"), 431, ""},
        {"a field too large that ends with LF alone", "GET / HTTP/1.1\r\nX: " + std::string(500, 'y') + "\n", 431, ""},
        {"a field without end", "GET / HTTP/1.1\r\nX: " + std::string(2000, 'y'), 431, ""},
        {"ten fields", get("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:\r\n"), 0, "GET / a.example []"},
        {"eleven fields", get("A:\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\nG:\r\nH:\r\nI:\r\nJ:\r\n"), 431, ""},
        // Expect
        {"expects 100", post("Expect: 100-Continue\r\nContent-Length: 2\r\n", "hi"), 0, "POST /p a.example [hi]"},
        {"expects something else", post("Expect: 200-ok\r\n", ""), 417, ""},
        {"HTTP/1.0 expects anything", "GET / HTTP/1.0\r\nExpect: x\r\n\r\n", 0, "GET /  []"},
        // Incomplete heads
        {"nothing", "", 0, "..."},
        {"part of a method", "G", 0, "..."},
        {"part of a target", "GET /hello", 0, "..."},
        {"part of a version", "GET /hello HTTP", 0, "..."},
        {"CR of the request line", "GET /hello HTTP/1.1\r", 0, "..."},
        {"part of a field", "GET /hello HTTP/1.1\r\nHos", 0, "..."},
        {"part of the last line", "GET /hello HTTP/1.1\r\nHost: a\r\n\r", 0, "..."},
    };
    return cases;
}

const std::vector<Case>& body_corpus() {
    static const std::vector<Case> cases{
        // Content-Length
        {"length", post("Content-Length: 5\r\n", "hello"), 0, "POST /p a.example [hello]"},
        {"length 0", post("Content-Length: 0\r\n", ""), 0, "POST /p a.example []"},
        {"length with leading zeros", post("Content-Length: 005\r\n", "hello"), 0, "POST /p a.example [hello]"},
        {"what follows is the next request's", post("Content-Length: 5\r\n", "helloGET"), 0,
         "POST /p a.example [hello]"},
        {"GET with a body", "GET / HTTP/1.1\r\n" + kHost + "Content-Length: 2\r\n\r\nhi", 0, "GET / a.example [hi]"},
        {"HTTP/1.0 with a length", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", 0, "POST /  [hi]"},
        {"HTTP/1.0 without a length has no body", "POST / HTTP/1.0\r\n\r\nhi", 0, "POST /  []"},
        {"equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 0, "POST /p a.example [hello]"},
        {"equal lengths in a list", post("Content-Length: 5, 5\r\n", "hello"), 0, "POST /p a.example [hello]"},
        {"body cut", post("Content-Length: 5\r\n", "hel"), 0, "..."},
        {"differing lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400, ""},
        {"differing lengths in a list", post("Content-Length: 5, 6\r\n", "hello"), 400, ""},
        {"list of lengths with a gap", post("Content-Length: 5,,5\r\n", "hello"), 400, ""},
        {"list of lengths that ends open", post("Content-Length: 5,\r\n", "hello"), 400, ""},
        {"empty length", post("Content-Length:\r\n", ""), 400, ""},
        {"negative length", post("Content-Length: -5\r\n", "hello"), 400, ""},
        {"very negative length", post("Content-Length: -123456789123456789123456789\r\n", ""), 400, ""},
        {"signed length", post("Content-Length: +5\r\n", "hello"), 400, ""},
        {"hexadecimal length", post("Content-Length: 0x5\r\n", "hello"), 400, ""},
        {"length with letters", post("Content-Length: abc\r\n", ""), 400, ""},
        {"length with a space", post("Content-Length: 1 2\r\n", ""), 400, ""},
        {"length with a fraction", post("Content-Length: 5.0\r\n", "hello"), 400, ""},
        {"length with an exponent", post("Content-Length: 1e2\r\n", ""), 400, ""},
        {"length beyond 64 bits", post("Content-Length: 99999999999999999999999\r\n", "x"), 413, ""},
        {"length over the limit", post("Content-Length: 1001\r\n", "x"), 413, ""},
        // Transfer-Encoding
        {"chunked", chunked("5\r\nhello\r\n0\r\n\r\n"), 0, "POST /p a.example [hello]"},
        {"several chunks", chunked("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), 0, "POST /p a.example [abc]"},
        {"no chunk", chunked("0\r\n\r\n"), 0, "POST /p a.example []"},
        {"chunk with CRLF inside", chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"), 0, "POST /p a.example [\r\n\r\n]"},
        {"size in either case", chunked("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), 0,
         "POST /p a.example [01234567890123456789a]"},
        {"size with leading zeros", chunked("0005\r\nhello\r\n000\r\n\r\n"), 0, "POST /p a.example [hello]"},
        {"coding in mixed case", post("Transfer-Encoding: Chunked\r\n", "0\r\n\r\n"), 0, "POST /p a.example []"},
        {"extension", chunked("5;a\r\nhello\r\n0;b=c;d=\"e \\\" ; f\"\r\n\r\n"), 0, "POST /p a.example [hello]"},
        {"extension with white space", chunked("5 ; a = b\r\nhello\r\n0\r\n\r\n"), 0, "POST /p a.example [hello]"},
        {"trailers", chunked("0\r\nX-Sum: 1\r\nY: z\r\n\r\n"), 0, "POST /p a.example []<X-Sum: 1><Y: z>"},
        {"what follows is left", chunked("0\r\n\r\nGET"), 0, "POST /p a.example []"},
        {"chunk cut", chunked("5\r\nhel"), 0, "..."},
        {"last chunk cut", chunked("5\r\nhello\r\n0\r\n"), 0, "..."},
        {"length and chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, ""},
        {"chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400, ""},
        {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, ""},
        {"chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400, ""},
        {"chunked twice, two lines", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
         400, ""},
        {"chunked not last", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), 400, ""},
        {"unknown coding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, ""},
        {"unknown coding alone", post("Transfer-Encoding: gzip\r\n", ""), 501, ""},
        {"identity", post("Transfer-Encoding: identity\r\n", ""), 501, ""},
        {"nearly chunked", post("Transfer-Encoding: xchunked\r\n", ""), 501, ""},
        {"chunked with a vertical tab",
         post("Transfer-Encoding: \x0b"
              "chunked\r\n",
              ""),
         400, ""},
        {"chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n", ""), 501, ""},
        {"empty coding", post("Transfer-Encoding:\r\n", ""), 400, ""},
        {"only a comma", post("Transfer-Encoding: ,\r\n", ""), 400, ""},
        {"size missing", chunked("\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"size with 0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"size negative", chunked("-5\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"size signed", chunked("+5\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"size with a space before", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"size with a space after", chunked("5 \r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"size with an underscore", chunked("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), 400, ""},
        {"size beyond 64 bits", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"size of 64 bits", chunked("ffffffffffffffff\r\nhello"), 413, ""},
        {"size line ends with LF", chunked("5\nhello\r\n0\r\n\r\n"), 400, ""},
        {"size line with a bare CR", chunked("5\rhello\r\n0\r\n\r\n"), 400, ""},
        {"data longer than its size", chunked("4\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"data ends with LF", chunked("5\r\nhello\n0\r\n\r\n"), 400, ""},
        {"data ends with CR and more", chunked("5\r\nhello\rX0\r\n\r\n"), 400, ""},
        {"extension without a name", chunked("5;\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"extension with an open quote", chunked("5;a=\"b\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"extension with a control character", chunked("5;a=\x01\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"extension with LF in quotes", chunked("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"extension too long", chunked("5;" + std::string(2000, 'a') + "\r\nhello\r\n0\r\n\r\n"), 400, ""},
        {"extension without end", chunked("5;" + std::string(5000, 'a')), 400, ""},
        {"chunks over the limit", chunked("3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\ny\r\n0\r\n\r\n"), 413, ""},
        {"chunks at the limit", chunked("3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n"), 0,
         "POST /p a.example [" + std::string(1000, 'x') + "]"},
        {"trailer that frames", chunked("0\r\nContent-Length: 5\r\n\r\n"), 400, ""},
        {"trailer that routes", chunked("0\r\nHost: b\r\n\r\n"), 400, ""},
        {"trailer that codes", chunked("0\r\nTransfer-Encoding: gzip\r\n\r\n"), 400, ""},
        {"trailer without a colon", chunked("0\r\nX\r\n\r\n"), 400, ""},
        {"trailer folded", chunked("0\r\nX: y\r\n z\r\n\r\n"), 400, ""},
        {"trailers end with LF", chunked("0\r\n\n"), 400, ""},
        {"trailers too large", chunked("0\r\nX: " + std::string(500, 'y') + "\r\n\r\n"), 431, ""},
    };
    return cases;
}

struct Outcome {
    int status = 0;
    std::string text;
};

Outcome run(std::string_view bytes, std::size_t step) {
    RequestHead head;
    RequestParser parser;
    BodyDecoder decoder;
    Headers trailers;
    parser.start(head, kLimits);
    bool too_large = false;
    const auto result = decode(parser, decoder, bytes, step, [&](BodyDecoder& body) {
        const auto framing = parser.framing().request_body();
        too_large = framing == BodyFraming::known && parser.framing().length() > kBodyMax; // as the server does
        body.start(framing, parser.framing().length(), kBodyMax, trailers, kLimits);
    });
    if (too_large) return {413, {}};
    if (result.status != 0) return {result.status, {}};
    if (!result.complete) return {0, "..."};
    std::string text = head.method_name + " " + head.target + " " + head.authority + " [" + result.body + "]";
    for (std::size_t i = 0; i < trailers.size(); ++i) {
        text.append("<").append(trailers[i].name).append(": ").append(trailers[i].value).append(">");
    }
    return {0, text};
}

void check(const std::vector<Case>& cases) {
    for (const auto& each : cases) {
        for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::string::npos / 2}) {
            const auto outcome = run(each.bytes, step);
            EXPECT_EQ(outcome.status, each.status) << each.name << ", in pieces of " << step;
            EXPECT_EQ(outcome.text, each.expected) << each.name << ", in pieces of " << step;
        }
    }
}

// Goal: every head gets the RFC's verdict, however the bytes arrive.
TEST(RequestParser, CorpusOfHeadsGetsTheVerdicts) { check(corpus()); }

// Goal: every body gets the RFC's verdict, however the bytes arrive.
TEST(RequestParser, CorpusOfBodiesGetsTheVerdicts) { check(body_corpus()); }

// Goal: the corpus stays as large as it was promised to be.
TEST(RequestParser, CorpusSizeIsAtLeast120) { EXPECT_GE(corpus().size() + body_corpus().size(), 120u); }

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
    const std::string bytes = post(
        "X-A: 1\r\ncontent-length: 2\r\nExpect: 100-continue\r\nConnection: Keep-Alive, upgrade\r\nx-a: 2\r\n", "");
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
    EXPECT_TRUE(keeps(get("")));
    EXPECT_FALSE(keeps(get("Connection: Close\r\n")));
    EXPECT_FALSE(keeps(get("Connection: keep-alive\r\nConnection: x, close\r\n")));
    EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
    EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

} // namespace
} // namespace flotilla::http
