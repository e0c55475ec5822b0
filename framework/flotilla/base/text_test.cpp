// The small functions over texts.
#include <gtest/gtest.h>

#include <array>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/case_fold.hpp>
#include <flotilla/base/environment_name.hpp>
#include <flotilla/base/fixed_text.hpp>
#include <flotilla/base/nearest_name.hpp>

namespace flotilla::text_test {
namespace {

// Goal: every byte becomes its two digits, and the end is told.
TEST(FixedText, WriteHexWritesTwoDigitsAByte) {
    const std::array<std::uint8_t, 4> bytes{0x00, 0x0f, 0xa5, 0xff};
    FixedText<8> text;
    EXPECT_EQ(write_hex(bytes, text.characters.data()), text.characters.data() + 8);
    EXPECT_EQ(text, "000fa5ff");
}

// Goal: it goes wherever a text goes, and compares as one.
TEST(FixedText, ConvertsToTexts) {
    const FixedText<3> text{{'a', 'b', 'c'}};
    const std::string copy = text;
    const std::string_view view = text;
    EXPECT_EQ(copy, "abc");
    EXPECT_EQ(view, "abc");
    EXPECT_NE(text, "abd");
    EXPECT_EQ(text, (FixedText<3>{{'a', 'b', 'c'}}));
}

// Goal: ASCII letters change their case, and no other byte does, neighbours of the letters and UTF-8 included.
TEST(Ascii, OnlyLettersHaveACase) {
    EXPECT_EQ(ascii_lower("@AZ[`az{\xC3\x89 0_"), "@az[`az{\xC3\x89 0_");
    EXPECT_EQ(ascii_upper("@AZ[`az{\xC3\xA9 0_"), "@AZ[`AZ{\xC3\xA9 0_");
    EXPECT_TRUE(equal_ignoring_case("Content-Type", "cONTENT-tYPE"));
    EXPECT_FALSE(equal_ignoring_case("@", "`"));
    EXPECT_FALSE(equal_ignoring_case("abc", "ab"));
}

// Goal: case and spelling make no difference in any script; text that is not UTF-8 stays as it is but for ASCII.
TEST(CaseFold, CaseAndSpellingMakeNoDifference) {
    EXPECT_EQ(case_folded("Amber ANCHOR 7"), "amber anchor 7");
    EXPECT_EQ(case_folded("E\u0301LISE"), case_folded("élise"));
    EXPECT_EQ(case_folded("GROSS"), case_folded("groß"));
    EXPECT_EQ(case_folded("ＡＤＡ"), "ada");
    EXPECT_EQ(case_folded("\xFF"
                          "A"),
              "\xFF"
              "a");
    EXPECT_EQ(case_folded(""), "");
}

// Goal: flags and settings find the variable that a person would write.
TEST(EnvironmentName, WordsArePartedByUnderscores) {
    EXPECT_EQ(environment_name("FLOTILLA_", "body-bytes-max"), "FLOTILLA_BODY_BYTES_MAX");
    EXPECT_EQ(environment_name("FLOTILLA_", "bodyBytesMax"), "FLOTILLA_BODY_BYTES_MAX");
    EXPECT_EQ(environment_name("FLOTILLA_", "mailURL2"), "FLOTILLA_MAIL_URL2");
}

// Goal: what was probably meant is found, and what is far from everything stays without a guess.
TEST(NearestName, FindsWhatWasProbablyMeant) {
    const std::array<std::string_view, 3> names{"smtp", "retries", "port"};
    EXPECT_EQ(nearest_name("smpt", names), "smtp");
    EXPECT_EQ(nearest_name("prot", names), "port");
    EXPECT_EQ(nearest_name("retry", names), "");
    EXPECT_EQ(nearest_name("zzzzzz", names), "");
    EXPECT_EQ(nearest_name("x", std::array<std::string_view, 0>{}), "");
    EXPECT_EQ(did_you_mean("prt", names), "; did you mean 'port'?");
    EXPECT_EQ(did_you_mean("zzzzzz", names), "");
}

} // namespace
} // namespace flotilla::text_test
