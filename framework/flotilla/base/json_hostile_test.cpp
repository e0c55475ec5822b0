// What is not JSON, or JSON made to hurt.
#include <flotilla/base/json.hpp>
#include <flotilla/base/json_value.hpp>

#include <gtest/gtest.h>

namespace flotilla::json_hostile_test {
namespace {

struct Known {
    int known;
};
struct Node {
    std::optional<std::vector<Node>> children;
};

/// The error's message, or "accepted".
template <class T>
std::string verdict(std::string_view text) {
    auto value = json::parse<T>(text);
    return value ? "accepted" : value.error().message();
}
/// The same value where it is skipped, where it is read as dynamic JSON, and at a field of another kind.
std::vector<std::string> verdicts_everywhere(const std::string& value) {
    return {verdict<Known>(R"({"known":1,"unknown":)" + value + "}"), verdict<boost::json::value>(value),
            verdict<Known>(R"({"known":)" + value + "}")};
}
std::string nested(int levels) { return std::string(levels, '[') + std::string(levels, ']'); }

// Goal: everything that is not JSON is refused, also where the value is not wanted.
TEST(JsonHostile, MalformedValuesAreRefusedEverywhere) {
    for (const auto* value : {"tru",
                              "truex",
                              "nul",
                              "nulll",
                              "falsehood",
                              "True",
                              "01",
                              "-",
                              "+1",
                              "1.",
                              ".5",
                              "1e",
                              "1e+",
                              "0x10",
                              "1_000",
                              "NaN",
                              "Infinity",
                              "-Infinity",
                              "1 2",
                              "\"a\" \"b\"",
                              "\"a\"b",
                              "1\"a\"",
                              "'a'",
                              "[1,]",
                              "[,1]",
                              "[1 2]",
                              "[1",
                              "1]",
                              "[1}",
                              "{1}",
                              "{\"a\"}",
                              "{\"a\":}",
                              "{\"a\":1,}",
                              "{,}",
                              "{\"a\" 1}",
                              "{\"a\":1 \"b\":2}",
                              "{a:1}",
                              "{\"a\":1]",
                              "{\"a\"::1}",
                              "[}",
                              "]",
                              "}",
                              ",",
                              ":",
                              "\"\\x\"",
                              "\"\\u12\"",
                              "\"\\u12G4\"",
                              "\"\\ud800\"",
                              "\"\\ud800\\u0041\"",
                              "\"\\udc00\"",
                              "\"\\",
                              "\"",
                              "\"a",
                              "/**/1",
                              "1//",
                              "\"\x01\"",
                              "\"a\tb\"",
                              "\"\xff\"",
                              "\"\xc0\xaf\"",
                              "\"\xed\xa0\x80\"",
                              "\xff",
                              "\x01",
                              "\xEF\xBB\xBF"
                              "1"}) {
        for (const auto& verdict : verdicts_everywhere(value))
            EXPECT_TRUE(verdict.starts_with("not JSON: ")) << value << ": " << verdict;
    }
}

// Goal: bytes behind the document are refused.
TEST(JsonHostile, TrailingBytesAreRefused) {
    EXPECT_EQ(verdict<Known>(R"({"known":1}x)"), "not JSON: expected the end at byte 11");
    EXPECT_EQ(verdict<Known>(R"({"known":1} {"known":2})"), "not JSON: expected the end at byte 12");
    EXPECT_EQ(verdict<Known>(R"({"known":1}})"), "not JSON: expected the end at byte 11");
    EXPECT_EQ(verdict<Known>(std::string_view("{\"known\":1}\0", 12)), "not JSON: expected the end at byte 11");
}

// Goal: no content and half a document are refused with where and why.
TEST(JsonHostile, IncompleteTextIsRefused) {
    EXPECT_EQ(verdict<Known>(""), "not JSON: there is no content");
    EXPECT_EQ(verdict<Known>(" \n "), "not JSON: there is no content");
    EXPECT_EQ(verdict<Known>("{"), "not JSON: expected a key at byte 1");
    EXPECT_EQ(verdict<Known>(R"({"known")"), "not JSON: expected : at byte 8");
    EXPECT_EQ(verdict<Known>(R"({"known":)"), "not JSON: expected a value at byte 9");
    EXPECT_EQ(verdict<Known>(R"({"known":1)"), "not JSON: expected , or } at byte 10");
    EXPECT_EQ(verdict<Known>(R"({"known":1,)"), "not JSON: expected a key at byte 11");
    EXPECT_EQ(verdict<Known>(R"({"known)"), "not JSON: a string is not closed");
}

// Goal: 64 levels are read and 65 refused, in values that are wanted, skipped and dynamic; a deep bomb is harmless.
TEST(JsonHostile, DepthIsLimited) {
    EXPECT_EQ(verdict<boost::json::value>(nested(64)), "accepted");
    EXPECT_EQ(verdict<boost::json::value>(nested(65)), "not JSON: nested deeper than 64 levels at byte 64");
    EXPECT_EQ(verdict<Known>(R"({"known":1,"x":)" + nested(63) + "}"), "accepted");
    EXPECT_EQ(verdict<Known>(R"({"known":1,"x":)" + nested(64) + "}"),
              "not JSON: nested deeper than 64 levels at byte 78");
    std::string node = "{}";
    for (int i = 0; i < 31; ++i)
        node = R"({"children":[)" + node + "]}";
    EXPECT_EQ(verdict<Node>(node), "accepted");
    EXPECT_TRUE(verdict<Node>(R"({"children":[)" + node + "]}").starts_with("not JSON: nested deeper"));
    EXPECT_TRUE(verdict<boost::json::value>(nested(500'000)).starts_with("not JSON: nested deeper"));
    EXPECT_TRUE(verdict<Known>(std::string(500'000, '{')).starts_with("not JSON"));
}

// Goal: a key given twice is refused, not resolved: two readers might choose differently.
TEST(JsonHostile, DuplicateKeysAreRefused) {
    using Map = std::map<std::string, int>;
    EXPECT_EQ(verdict<Known>(R"({"known":1,"known":2})"), "known: is given twice");
    EXPECT_EQ(verdict<Known>(R"({"known":1,"\u006bnown":2})"), "known: is given twice");
    EXPECT_EQ(verdict<Map>(R"({"a":1,"b":2,"a":3})"), "a: is given twice");
    EXPECT_EQ(verdict<boost::json::value>(R"({"x":{"a":1,"a":1}})"), "x.a: is given twice");
}

// Goal: names in paths are shortened, so that a hostile key cannot make a huge answer.
TEST(JsonHostile, LongKeysAreShortenedInPaths) {
    using Map = std::map<std::string, int>;
    const auto error = json::parse<Map>("{\"" + std::string(100'000, 'k') + "\":\"x\"}").error();
    EXPECT_EQ(error.fields()[0].path, std::string(40, 'k') + "...");
}

// Goal: long texts, and texts whose end is the end of their memory, are read right, and nothing is left behind.
TEST(JsonHostile, TextsOfManySizesAreReadRight) {
    for (std::size_t size = 0; size < 300; ++size) {
        const std::string content(size, 'x');
        const auto text = std::make_unique<char[]>(size + 2); // no byte after the last
        text[0] = text[size + 1] = '"';
        content.copy(text.get() + 1, size);
        EXPECT_EQ(json::parse<std::string>({text.get(), size + 2}).value(), content);
    }
    std::string text = "[0";
    for (int i = 1; i < 600'000; ++i)
        text += "," + std::to_string(i);
    const auto numbers = json::parse<std::vector<int>>(text + "]").value();
    EXPECT_EQ(numbers.size(), 600'000U);
    EXPECT_EQ(numbers.back(), 599'999);
    EXPECT_EQ(json::parse<int>("1").value(), 1);
}

} // namespace
} // namespace flotilla::json_hostile_test
