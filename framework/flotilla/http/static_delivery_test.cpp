// Static content in parts and under conditions.
#include <boost/json/parse.hpp>

#include <flotilla/http/byte_ranges.hpp>
#include <flotilla/http/test_files.hpp>

namespace flotilla::http::static_delivery_test {
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

} // namespace
} // namespace flotilla::http::static_delivery_test
