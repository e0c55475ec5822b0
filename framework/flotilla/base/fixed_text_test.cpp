#include <flotilla/base/fixed_text.hpp>

#include <gtest/gtest.h>

namespace flotilla {
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

} // namespace
} // namespace flotilla
