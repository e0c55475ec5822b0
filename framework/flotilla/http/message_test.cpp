#include <flotilla/http/message.hpp>

#include <gtest/gtest.h>

namespace flotilla::http::message_test {
namespace {

// Goal: names compare without case, order and duplicates are kept.
TEST(Headers, AddSameNameTwiceKeepsBoth) {
    Headers headers;
    headers.add("X-A", "1");
    headers.add("Other", "2");
    headers.add("x-a", " 3 ");
    EXPECT_EQ(headers.size(), 3u);
    EXPECT_EQ(headers.get("X-a"), "1");
    EXPECT_EQ(headers[2].name, "x-a");
    EXPECT_EQ(headers[2].value, "3");
    EXPECT_FALSE(headers.has("X-B"));
}

// Goal: set replaces every field of the name, also by a view of itself.
TEST(Headers, SetReplacesAllOfThatName) {
    Headers headers;
    headers.add("A", "1");
    headers.add("B", "2");
    headers.add("a", "3");
    headers.set("A", *headers.get("B"));
    EXPECT_EQ(headers.size(), 2u);
    EXPECT_EQ(headers.get("a"), "2");
    headers.remove("b");
    EXPECT_EQ(headers.size(), 1u);
}

// Goal: the unchecked form does the same: in its place where the size allows it, at the end where not.
TEST(Headers, SetValidReplacesAllOfThatName) {
    Headers headers;
    headers.set_valid("a", "1");
    headers.add("b", "2");
    headers.set_valid("A", "3");
    EXPECT_EQ(headers.line(0), "a: 3\r\n");
    headers.set_valid("a", "44");
    ASSERT_EQ(headers.size(), 2u);
    EXPECT_EQ(headers.line(1), "a: 44\r\n");
    headers.add("A", "55");
    headers.set_valid("a", "66");
    ASSERT_EQ(headers.size(), 2u);
    EXPECT_EQ(headers[0].value, "2");
    EXPECT_EQ(headers.get("a"), "66");
}

// Goal: replacing one field over and over does not grow without bound.
TEST(Headers, SetManyTimesStaysBounded) {
    Headers headers;
    headers.add("Keep", "this");
    for (int i = 0; i < 10'000; ++i)
        headers.set("X", std::to_string(i));
    EXPECT_EQ(headers.get("X"), "9999");
    EXPECT_EQ(headers.get("Keep"), "this");
    EXPECT_LT(static_cast<std::size_t>(headers[1].name.data() - headers[0].name.data()), 1000u);
}

// Goal: a header that could break the message out of its frame is a bug and throws.
TEST(Headers, AddInvalidTextThrows) {
    Headers headers;
    EXPECT_THROW(headers.add("X Y", "z"), std::invalid_argument);
    EXPECT_THROW(headers.add("", "z"), std::invalid_argument);
    EXPECT_THROW(headers.add("X", "a\r\nY: b"), std::invalid_argument);
    EXPECT_THROW(headers.add("X", std::string("a\0b", 3)), std::invalid_argument);
    EXPECT_EQ(headers.size(), 0u);
}

// Goal: list fields are searched over all their lines, by whole elements.
TEST(Headers, ListsFindsWholeElements) {
    Headers headers;
    headers.add("Connection", "keep-alive , Upgrade");
    headers.add("connection", "x-y");
    EXPECT_TRUE(headers.lists("Connection", "upgrade"));
    EXPECT_TRUE(headers.lists("connection", "X-Y"));
    EXPECT_FALSE(headers.lists("connection", "x"));
}

// Goal: a target splits at its first question mark.
TEST(RequestHead, PathAndQuerySplitAtTheFirstMark) {
    RequestHead head;
    head.target = "/a/b?c=d?e";
    EXPECT_EQ(head.path(), "/a/b");
    EXPECT_EQ(head.query(), "c=d?e");
    head.target = "/a";
    EXPECT_EQ(head.path(), "/a");
    EXPECT_EQ(head.query(), "");
}

// Goal: decoding refuses what has no one meaning.
TEST(PercentCoding, DecodeInvalidEscapesIsRefused) {
    EXPECT_EQ(percent_decode("a%20b%C3%a9"), "a b\xc3\xa9");
    EXPECT_EQ(percent_decode("a+b"), "a+b");
    EXPECT_EQ(percent_decode("a+b", true), "a b");
    for (const auto* text : {"%", "%2", "a%zz", "%0", "%00", "%-1"})
        EXPECT_EQ(percent_decode(text), std::nullopt) << text;
}

// Goal: what is encoded decodes to the same bytes.
TEST(PercentCoding, EncodeThenDecodeGivesTheSame) {
    std::string all;
    for (int byte = 1; byte < 256; ++byte)
        all.push_back(static_cast<char>(byte));
    EXPECT_EQ(percent_decode(percent_encode(all)), all);
    EXPECT_EQ(percent_encode("a-Z.0_9~ /"), "a-Z.0_9~%20%2F");
}

// Goal: queries give decoded pairs in order.
TEST(Query, ParseGivesPairsInOrder) {
    const auto pairs = parse_query("a=1&b=x%20y+z&&c&d==&a=2");
    ASSERT_TRUE(pairs);
    const std::vector<std::pair<std::string, std::string>> expected{
        {"a", "1"}, {"b", "x y z"}, {"c", ""}, {"d", "="}, {"a", "2"}};
    EXPECT_EQ(*pairs, expected);
    EXPECT_EQ(parse_query("a=%x"), std::nullopt);
    EXPECT_EQ(parse_query("%=1"), std::nullopt);
    EXPECT_TRUE(parse_query("")->empty());
}

} // namespace
} // namespace flotilla::http::message_test
