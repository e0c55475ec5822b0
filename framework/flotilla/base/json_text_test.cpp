#include <flotilla/base/json.hpp>

#include <gtest/gtest.h>

namespace flotilla::json_text_test {
namespace {

std::string literal_of(std::string_view text) {
    std::string out;
    json::quote(out, text);
    return out;
}
std::string content_of(std::string_view literal) { return json::parse<std::string>(literal).value(); }

// Goal: exactly what RFC 8259 §7 demands is escaped.
TEST(JsonText, QuoteEscapesWhatItMust) {
    EXPECT_EQ(literal_of(""), R"("")");
    EXPECT_EQ(literal_of("plain / text"), R"("plain / text")");
    EXPECT_EQ(literal_of("a\"b\\c"), R"("a\"b\\c")");
    EXPECT_EQ(literal_of("\b\f\n\r\t"), R"("\b\f\n\r\t")");
    EXPECT_EQ(literal_of(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
    EXPECT_EQ(literal_of("größe €😀"), "\"größe €😀\"");
}

// Goal: an escape is found wherever it stands, beside bytes that look alike to the eight-byte steps.
TEST(JsonText, QuoteFindsEscapesAtEveryPosition) {
    for (std::size_t size = 1; size < 40; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (const std::string_view filler : {"x", "!", "#", "[", "]", " "}) {
                std::string text;
                for (std::size_t i = 0; i < size; ++i)
                    text += filler;
                auto expected = "\"" + text + "\"";
                text[at] = '\n';
                expected.replace(at + 1, 1, "\\n");
                ASSERT_EQ(literal_of(text), expected);
            }
        }
    }
}

// Goal: bytes that are not UTF-8 are replaced; the text around them stays.
TEST(JsonText, QuoteReplacesInvalidUtf8) {
    EXPECT_EQ(literal_of("a\xff"
                         "b"),
              "\"a\xEF\xBF\xBD"
              "b\"");
    EXPECT_EQ(literal_of("ä\xc3"), "\"ä\xEF\xBF\xBD\"");
    EXPECT_EQ(literal_of("\xed\xa0\x80\n€"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\\n€\"");
}

// Goal: all escapes are understood, surrogate pairs included.
TEST(JsonText, ReadUnderstandsAllEscapes) {
    EXPECT_EQ(content_of(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
    EXPECT_EQ(content_of(R"("\u0041\u00e4\u20AC\uD83D\uDE00")"), "Aä€😀");
    EXPECT_EQ(content_of(R"("a\\")"), "a\\");
    EXPECT_EQ(content_of(R"("\\\"" )"), "\\\"");
    EXPECT_EQ(content_of(R"("\u0000")"), std::string_view("\0", 1));
}

// Goal: any text survives being written and read.
TEST(JsonText, QuotedTextReadsBack) {
    std::string text;
    for (int c = 0; c < 128; ++c)
        text += static_cast<char>(c);
    text += "größe €😀\\u0041\"\"";
    for (std::size_t begin = 0; begin < text.size(); ++begin) {
        const auto part = std::string_view(text).substr(begin);
        if (is_utf8_continuation(part.front())) continue;
        ASSERT_EQ(content_of(literal_of(part)), part);
    }
}

// Goal: a broken escape is located.
TEST(JsonText, BrokenEscapeIsLocated) {
    EXPECT_EQ(json::parse<std::string>(R"(  "ab\x")").error().message(), "not JSON: an escape that is none at byte 5");
    EXPECT_EQ(json::parse<std::string>(R"("\n\ud800\n")").error().message(),
              "not JSON: an escape that is none at byte 3");
}

} // namespace
} // namespace flotilla::json_text_test
