#include <flotilla/http/conditions.hpp>

#include <gtest/gtest.h>

namespace flotilla::http::conditions_test {
namespace {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr std::string_view kBefore = "Sun, 06 Nov 1994 08:49:36 GMT", kThen = "Sun, 06 Nov 1994 08:49:37 GMT",
                           kAfter = "Sun, 06 Nov 1994 08:49:38 GMT";

Headers headers_of(const Fields& fields) {
    Headers headers;
    for (const auto& [name, value] : fields)
        headers.add(name, value);
    return headers;
}

Validators current(std::string etag) { return {std::move(etag), Timestamp::parse_http_date(kThen, {}).value()}; }

int status(const Fields& fields, std::string etag = "\"a\"") {
    switch (check_conditions(headers_of(fields), current(std::move(etag)), {})) {
    case Condition::not_modified:
        return 304;
    case Condition::failed:
        return 412;
    case Condition::proceed:
        break;
    }
    return 200;
}

bool range(const Fields& fields, std::string etag = "\"a\"") {
    return range_counts(headers_of(fields), current(std::move(etag)), {});
}

// Goal: If-None-Match compares weakly, whatever the number of tags and lines; "*" matches what is there.
TEST(Conditions, IfNoneMatchComparesWeakly) {
    EXPECT_EQ(status({{"If-None-Match", "\"a\""}}), 304);
    EXPECT_EQ(status({{"If-None-Match", "W/\"a\""}}), 304);
    EXPECT_EQ(status({{"If-None-Match", "\"a\""}}, "W/\"a\""), 304);
    EXPECT_EQ(status({{"If-None-Match", "\"b\", W/\"x,y\" ,, \"a\""}}), 304);
    EXPECT_EQ(status({{"If-None-Match", "\"b\""}, {"if-none-match", "\"a\""}}), 304);
    EXPECT_EQ(status({{"If-None-Match", "*"}}), 304);
    EXPECT_EQ(status({{"If-None-Match", "\"b\""}}), 200);
    EXPECT_EQ(status({{"If-None-Match", "\"A\""}}), 200);
    EXPECT_EQ(status({{"If-None-Match", "a"}}), 200);
    EXPECT_EQ(status({{"If-None-Match", "\"a"}}), 200);
    EXPECT_EQ(status({{"If-None-Match", "\"b\" \"a\""}}), 200);
    EXPECT_EQ(status({{"If-None-Match", ""}}), 200);
}

// Goal: If-Match compares strongly.
TEST(Conditions, IfMatchComparesStrongly) {
    EXPECT_EQ(status({{"If-Match", "\"b\", \"a\""}}), 200);
    EXPECT_EQ(status({{"If-Match", "*"}}), 200);
    EXPECT_EQ(status({{"If-Match", "\"b\""}}), 412);
    EXPECT_EQ(status({{"If-Match", "W/\"a\""}}), 412);
    EXPECT_EQ(status({{"If-Match", "\"a\""}}, "W/\"a\""), 412);
    EXPECT_EQ(status({{"If-Match", "nonsense"}}), 412);
}

// Goal: dates count to the second; what is no date, or comes twice, does not.
TEST(Conditions, DatesAreCompared) {
    EXPECT_EQ(status({{"If-Modified-Since", kBefore}}), 200);
    EXPECT_EQ(status({{"If-Modified-Since", kThen}}), 304);
    EXPECT_EQ(status({{"If-Modified-Since", kAfter}}), 304);
    EXPECT_EQ(status({{"If-Modified-Since", "Sun Nov  6 08:49:37 1994"}}), 304);
    EXPECT_EQ(status({{"If-Modified-Since", "yesterday"}}), 200);
    EXPECT_EQ(status({{"If-Modified-Since", kThen}, {"If-Modified-Since", kThen}}), 200);
    EXPECT_EQ(status({{"If-Unmodified-Since", kBefore}}), 412);
    EXPECT_EQ(status({{"If-Unmodified-Since", kThen}}), 200);
    EXPECT_EQ(status({{"If-Unmodified-Since", kAfter}}), 200);
    EXPECT_EQ(status({{"If-Unmodified-Since", "yesterday"}}), 200);
}

// Goal: where there is no date, conditions by date do not count (RFC 9110 §13.1.3, §13.1.4).
TEST(Conditions, DatesDoNotCountWithoutADate) {
    for (const auto* field : {"If-Modified-Since", "If-Unmodified-Since"}) {
        for (const auto date : {kBefore, kAfter})
            EXPECT_EQ(check_conditions(headers_of({{field, date}}), {.etag = "\"a\""}, {}), Condition::proceed)
                << field;
    }
}

// Goal: the tags of all lines, as they were sent, for those who know what they stand for.
TEST(Conditions, TagsAreListed) {
    const auto tags = [](const Fields& fields) {
        const auto headers = headers_of(fields); // the tags are views into them
        const auto found = entity_tags(headers, "if-match");
        if (!found) return std::string("absent");
        std::string text = found->any ? "*" : "";
        for (const auto& tag : found->tags)
            text += (tag.weak ? "W/" : "") + std::string(tag.opaque) + ";";
        return text;
    };
    EXPECT_EQ(tags({}), "absent");
    EXPECT_EQ(tags({{"If-Match", "*"}}), "*");
    EXPECT_EQ(tags({{"If-Match", "\"a\", W/\"b,c\""}, {"if-match", "\"d\""}}), "\"a\";W/\"b,c\";\"d\";");
    EXPECT_EQ(tags({{"If-Match", "\"a\" \"b\""}}), "\"a\";");
    EXPECT_EQ(tags({{"If-Match", "7"}}), "");
}

// Goal: the order of RFC 9110 §13.2.2: tags before dates of the same sense, what refuses before what spares.
TEST(Conditions, OrderIsTheStandards) {
    EXPECT_EQ(status({{"If-Match", "\"a\""}, {"If-Unmodified-Since", kBefore}}), 200) << "the date is not looked at";
    EXPECT_EQ(status({{"If-Match", "\"b\""}, {"If-None-Match", "\"a\""}}), 412);
    EXPECT_EQ(status({{"If-Match", "\"a\""}, {"If-None-Match", "\"a\""}}), 304);
    EXPECT_EQ(status({{"If-Unmodified-Since", kBefore}, {"If-None-Match", "\"a\""}}), 412);
    EXPECT_EQ(status({{"If-None-Match", "\"b\""}, {"If-Modified-Since", kAfter}}), 200) << "nor here";
    EXPECT_EQ(status({{"If-None-Match", "\"a\""}, {"If-Modified-Since", kBefore}}), 304);
    EXPECT_EQ(status({{"If-Unmodified-Since", kThen}, {"If-Modified-Since", kThen}}), 304);
}

// Goal: parts are joined only to the very same bytes: If-Range is strong.
TEST(Conditions, IfRangeIsStrong) {
    EXPECT_TRUE(range({}));
    EXPECT_TRUE(range({{"If-Range", "\"a\""}}));
    EXPECT_FALSE(range({{"If-Range", "\"b\""}}));
    EXPECT_FALSE(range({{"If-Range", "W/\"a\""}}));
    EXPECT_FALSE(range({{"If-Range", "\"a\""}}, "W/\"a\""));
    EXPECT_FALSE(range({{"If-Range", "\"a\", \"b\""}}));
    EXPECT_FALSE(range({{"If-Range", "*"}}));
    EXPECT_TRUE(range({{"If-Range", kThen}}));
    EXPECT_FALSE(range({{"If-Range", kAfter}}));
    EXPECT_FALSE(range({{"If-Range", kBefore}}));
    EXPECT_FALSE(range({{"If-Range", kThen}}, "W/\"a\"")) << "the file may have changed twice in that second";
    EXPECT_FALSE(range({{"If-Range", "\"a\""}, {"If-Range", "\"a\""}}));
}

} // namespace
} // namespace flotilla::http::conditions_test
