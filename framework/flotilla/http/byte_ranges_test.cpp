#include <flotilla/http/byte_ranges.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::http::byte_ranges_test {
namespace {

using Answer = RequestedRanges::Answer;

/// "0-1 5-9", "whole" or "unsatisfiable", of 100 bytes.
std::string of_hundred(std::string_view field, std::uint64_t size = 100) {
    const auto asked = requested_ranges(field, size);
    EXPECT_EQ(asked.answer == Answer::partial, !asked.ranges.empty()) << field;
    if (asked.answer == Answer::whole) return "whole";
    if (asked.answer == Answer::unsatisfiable) return "unsatisfiable";
    std::string text;
    for (const auto& range : asked.ranges)
        text += (text.empty() ? "" : " ") + std::to_string(range.first) + "-" + std::to_string(range.last);
    return text;
}

// Goal: a range of each form gives its bytes, cut at the end.
TEST(ByteRanges, FormsGiveTheirBytes) {
    EXPECT_EQ(of_hundred("bytes=0-0"), "0-0");
    EXPECT_EQ(of_hundred("bytes=10-19"), "10-19");
    EXPECT_EQ(of_hundred("bytes=90-"), "90-99");
    EXPECT_EQ(of_hundred("bytes=90-1000"), "90-99");
    EXPECT_EQ(of_hundred("bytes=-5"), "95-99");
    EXPECT_EQ(of_hundred("bytes=-1000"), "0-99");
    EXPECT_EQ(of_hundred("Bytes= 1-2 , 5-6,,"), "1-2 5-6");
    EXPECT_EQ(of_hundred("bytes=50-59,0-9"), "50-59 0-9");
    EXPECT_EQ(of_hundred("bytes=0-99999999999999999999999999"), "0-99");
}

// Goal: what the file has nothing of is left out; without anything left it is 416.
TEST(ByteRanges, UnsatisfiableIsToldFromMalformed) {
    EXPECT_EQ(of_hundred("bytes=100-"), "unsatisfiable");
    EXPECT_EQ(of_hundred("bytes=99999999999999999999999999-"), "unsatisfiable");
    EXPECT_EQ(of_hundred("bytes=-0"), "unsatisfiable");
    EXPECT_EQ(of_hundred("bytes=100-200,300-"), "unsatisfiable");
    EXPECT_EQ(of_hundred("bytes=100-200,5-6"), "5-6");
}

// Goal: what is no range of bytes is answered as if it were not there.
TEST(ByteRanges, MalformedIsIgnored) {
    for (const auto* field : {"", "bytes", "bytes=", "bytes=,", "lines=0-1", "bytes=1", "bytes=a-b", "bytes=5-4",
                              "bytes=-", "bytes=1-2-3", "bytes=300000000000000000000-200000000000000000000",
                              "bytes=+1-2", "bytes=1 -2", "bytes=0x1-2", "bytes=1-2,x", "bytes =1-2"})
        EXPECT_EQ(of_hundred(field), "whole") << field;
}

// Goal: a small request cannot ask for a large answer.
TEST(ByteRanges, OverlappingAndManyGetTheWhole) {
    EXPECT_EQ(of_hundred("bytes=0-50,50-99"), "whole");
    EXPECT_EQ(of_hundred("bytes=0-,0-"), "whole");
    EXPECT_EQ(of_hundred("bytes=10-20,-90"), "whole");
    EXPECT_EQ(of_hundred("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14"), "0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14");
    EXPECT_EQ(of_hundred("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16"), "whole");
    EXPECT_EQ(of_hundred("bytes=0-0,200-,200-,200-,200-,200-,200-,200-,200-"), "whole");
}

// Goal: nothing has no part.
TEST(ByteRanges, EmptyRepresentationIsWhole) {
    EXPECT_EQ(of_hundred("bytes=0-", 0), "whole");
    EXPECT_EQ(of_hundred("bytes=-5", 0), "whole");
}

// Goal: the fields of the answers.
TEST(ByteRanges, ContentRangeIsWritten) {
    EXPECT_EQ(content_range({10, 19}, 100), "bytes 10-19/100");
    EXPECT_EQ(unsatisfied_range(100), "bytes */100");
}

} // namespace
} // namespace flotilla::http::byte_ranges_test
