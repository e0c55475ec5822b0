// Static content in parts, under conditions, and when it is large.
#include <sys/resource.h>

#include <boost/json/parse.hpp>

#include <flotilla/base/sanitized.hpp>
#include <flotilla/http/byte_ranges.hpp>
#include <flotilla/http/test_files.hpp>

namespace flotilla::http {
namespace {

const std::string kDigits = "0123456789";

// Goal: conditions on a real file, with the fields that a kept copy needs.
TEST_F(StaticContentTest, ConditionsAreAnswered) {
    write("a.txt", kDigits);
    const auto got = get("/a.txt");
    const auto etag = field(got, "etag"), date = field(got, "last-modified");
    for (const auto& condition :
         {std::pair<std::string, std::string>{"if-none-match", etag}, {"if-modified-since", date}}) {
        const auto same = get("/a.txt", {condition});
        EXPECT_EQ(same.status(), 304) << condition.first;
        EXPECT_EQ(same.body, "");
        EXPECT_EQ(field(same, "etag"), etag);
        EXPECT_EQ(field(same, "last-modified"), date);
        EXPECT_EQ(field(same, "content-type"), "(none)");
    }
    EXPECT_EQ(get("/a.txt", {{"if-none-match", "\"other\""}, {"if-modified-since", date}}).body, kDigits);
    EXPECT_EQ(get("/a.txt", {{"if-match", etag}}).body, kDigits);
    for (const auto& condition : {std::pair<std::string, std::string>{"if-match", "\"other\""},
                                  {"if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT"}}) {
        const auto failed = get("/a.txt", {condition, {"if-none-match", etag}});
        EXPECT_EQ(failed.status(), 412) << condition.first;
        EXPECT_EQ(field(failed, "content-type"), "application/problem+json");
        EXPECT_EQ(boost::json::parse(failed.body).at("code"), "precondition_failed");
    }
    EXPECT_EQ(get("/none", {{"if-match", "*"}}).status(), 404) << "conditions are for what is there";
    EXPECT_EQ(get("/a.txt", {{"if-none-match", etag}, {"range", "bytes=0-1"}}).status(), 304) << "before ranges";
}

// Goal: one range of each form comes alone, and what is not there is 416.
TEST_F(StaticContentTest, OneRangeIsAPart) {
    write("a.txt", kDigits);
    const std::vector<std::tuple<std::string, std::string, std::string>> cases{{"bytes=2-4", "234", "bytes 2-4/10"},
                                                                               {"bytes=7-", "789", "bytes 7-9/10"},
                                                                               {"bytes=-2", "89", "bytes 8-9/10"},
                                                                               {"bytes=0-99", kDigits, "bytes 0-9/10"},
                                                                               {"bytes=20-,3-3", "3", "bytes 3-3/10"}};
    for (const auto& [range, body, content_range] : cases) {
        const auto part = get("/a.txt", {{"range", range}});
        EXPECT_EQ(part.status(), 206) << range;
        EXPECT_EQ(part.body, body);
        EXPECT_EQ(field(part, "content-range"), content_range);
        EXPECT_EQ(field(part, "content-type"), "text/plain; charset=utf-8");
        EXPECT_EQ(field(part, "etag"), field(get("/a.txt"), "etag"));
    }
    const auto nothing = get("/a.txt", {{"range", "bytes=10-"}});
    EXPECT_EQ(nothing.status(), 416);
    EXPECT_EQ(field(nothing, "content-range"), "bytes */10");
    EXPECT_EQ(field(nothing, "content-type"), "application/problem+json");
    EXPECT_EQ(boost::json::parse(nothing.body).at("code"), "range_not_satisfiable");
    for (const auto* range : {"lines=1-2", "bytes=x", "bytes=0-5,5-9"}) {
        EXPECT_EQ(get("/a.txt", {{"range", range}}).status(), 200) << range;
        EXPECT_EQ(get("/a.txt", {{"range", range}}).body, kDigits) << range;
    }
}

// Goal: a part is given only of the file that the client has the rest of.
TEST_F(StaticContentTest, IfRangeGuardsTheParts) {
    write("a.txt", kDigits);
    const auto etag = field(get("/a.txt"), "etag");
    const auto status = [&](std::string if_range) {
        return get("/a.txt", {{"range", "bytes=0-1"}, {"if-range", std::move(if_range)}}).status();
    };
    EXPECT_EQ(status(etag), 206);
    EXPECT_EQ(status("W/" + etag), 200);
    EXPECT_EQ(status("\"other\""), 200);
    EXPECT_EQ(status("Sun, 06 Nov 1994 08:49:37 GMT"), 206);
    EXPECT_EQ(status("Sun, 06 Nov 1994 08:49:38 GMT"), 200);
    EXPECT_EQ(get("/a.txt", {{"range", "bytes=99-"}, {"if-range", "\"other\""}}).status(), 200) << "not 416";
    write("a.txt", kDigits, now()); // now its tag is weak
    EXPECT_EQ(status(field(get("/a.txt"), "etag")), 200);
    EXPECT_EQ(status(field(get("/a.txt"), "last-modified")), 200);
}

// Goal: several ranges come in one answer, in the order asked for, each with its place.
TEST_F(StaticContentTest, SeveralRangesAreMultipart) {
    write("a.txt", kDigits);
    const auto parts = get("/a.txt", {{"range", "bytes=7-8,0-1,-1"}});
    EXPECT_EQ(parts.status(), 206);
    EXPECT_EQ(field(parts, "content-range"), "(none)");
    const auto type = field(parts, "content-type");
    const std::string prefix = "multipart/byteranges; boundary=";
    ASSERT_TRUE(type.starts_with(prefix)) << type;
    const auto boundary = "--" + type.substr(prefix.size());
    std::string want;
    for (const auto& [range, body] : {std::pair("7-8", "78"), {"0-1", "01"}, {"9-9", "9"}}) {
        want += boundary + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes " + range +
                "/10\r\n\r\n" + body + "\r\n";
    }
    EXPECT_EQ(parts.body, want + boundary + "--\r\n");
    EXPECT_NE(field(get("/a.txt", {{"range", "bytes=7-8,0-1"}}), "content-type"), type)
        << "nobody can guess a boundary";
    std::string many = "bytes=0-0";
    for (std::size_t i = 1; i <= kRangesMax; ++i)
        many += ",0-0";
    EXPECT_EQ(get("/a.txt", {{"range", many}}).body, kDigits);
}

std::int64_t memory_peak_kb() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/// Byte i of a large file; each piece differs from its neighbours.
char byte_at(std::uint64_t at) { return static_cast<char>('a' + at / 4099 % 26); }

struct Received {
    std::uint64_t bytes = 0;
    bool intact = true;
    std::optional<Error> error;
};

/// Reads an answer to its end without keeping it; waits for `go` between head and body.
task<Received> download(Context& context, Client& client, Address address, std::string target, std::uint64_t from,
                        std::function<void()> before_body) {
    Received received{.bytes = from};
    auto exchange = (co_await client.open(context, std::move(address))).value();
    RequestHead head;
    head.target = std::move(target);
    if (from > 0) head.headers.add("range", "bytes=" + std::to_string(from) + "-");
    EXPECT_TRUE(co_await exchange->send_whole(context, head, {}));
    auto answer = co_await exchange->receive(context);
    EXPECT_TRUE(answer && (*answer)->status == (from > 0 ? 206 : 200));
    before_body();
    while (true) {
        auto piece = co_await exchange->read(context);
        if (!piece) received.error = piece.error();
        if (!piece || piece->empty()) break;
        for (const char c : *piece)
            received.intact = received.intact && c == byte_at(received.bytes++);
    }
    co_return received;
}

// Goal: a large file arrives whole, from the start or from the middle, without ever being in memory.
TEST_F(StaticContentTest, LargeFileIsStreamed) {
    constexpr std::uint64_t kSize = 96 << 20;
    {
        std::ofstream file(folder() + "/large.bin", std::ios::binary);
        std::string block(1 << 20, '\0');
        for (std::uint64_t at = 0; at < kSize; at += block.size()) {
            for (std::size_t i = 0; i < block.size(); ++i)
                block[i] = byte_at(at + i);
            file << block;
        }
    }
    start();
    const auto before = memory_peak_kb();
    for (const std::uint64_t from : {std::uint64_t{0}, kSize / 2 + 7}) {
        const auto received = loop_.run_until_done(download(context_, client_, address_, "/large.bin", from, [] {}));
        EXPECT_FALSE(received.error) << received.error->message();
        EXPECT_EQ(received.bytes, kSize);
        EXPECT_TRUE(received.intact);
    }
#ifndef FLOTILLA_SANITIZED // which keep what was freed
    EXPECT_LT(memory_peak_kb() - before, 32 * 1024) << "kB more at most than before, of 96 MiB";
#else
    EXPECT_GT(before, 0);
#endif
}

// Goal: a file that becomes shorter on the way breaks the answer off; nobody takes it for whole.
TEST_F(StaticContentTest, ShrinkingFileBreaksTheAnswerOff) {
    write("large.bin", "");
    resize("large.bin", 256 << 20); // more than all buffers on the way hold
    start();
    const auto received = loop_.run_until_done(
        download(context_, client_, address_, "/large.bin", 0, [this] { resize("large.bin", 1 << 20); }));
    ASSERT_TRUE(received.error);
    EXPECT_EQ(received.error->kind(), Kind::bad_gateway) << received.error->message();
    EXPECT_LT(received.bytes, 256u << 20);
    EXPECT_EQ(get("/large.bin", {{"range", "bytes=0-0"}}).status(), 206) << "the server goes on";
}

} // namespace
} // namespace flotilla::http
