#include "hub/redis/entry_id.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::entry_id_test {
namespace {

// Goal: ids read back as they are written, and nothing else is taken for one.
TEST(EntryId, TextReadsBackAndOtherTextIsRefused) {
    EXPECT_EQ(parse_entry_id("1526919030474-55", 0)->to_string(), "1526919030474-55");
    EXPECT_EQ(parse_entry_id("7", 9), (EntryId{7, 9}));
    EXPECT_EQ(parse_entry_id("18446744073709551615-18446744073709551615", 0), EntryId::max());
    for (const std::string_view text :
         {"", "-", "+", "1-", "-1", "1-2-3", "x-1", "1-x", "1 ", " 1", "18446744073709551616-0", "+1-1"}) {
        EXPECT_FALSE(parse_entry_id(text, 0)) << text;
    }
}

// Goal: neighbours carry over between sequence and milliseconds and end at the edges.
TEST(EntryId, NeighboursCarryOver) {
    EXPECT_EQ((EntryId{1, UINT64_MAX}.next()), (EntryId{2, 0}));
    EXPECT_EQ((EntryId{2, 0}.previous()), (EntryId{1, UINT64_MAX}));
    EXPECT_FALSE(EntryId::max().next());
    EXPECT_FALSE(EntryId{}.previous());
}

// Goal: the bytes of ids sort as the ids do.
TEST(EntryId, BytesSortAsIds) {
    const EntryId ids[] = {{0, 0},   {0, 1},          {0, 256},      {1, 0}, {255, UINT64_MAX},
                           {256, 0}, {1ull << 63, 0}, EntryId::max()};
    for (std::size_t i = 0; i < std::size(ids); ++i) {
        const auto bytes = ids[i].to_bytes();
        EXPECT_EQ(EntryId::from_bytes({bytes.data(), bytes.size()}), ids[i]);
        if (i == 0) continue;
        const auto before = ids[i - 1].to_bytes();
        EXPECT_LT(std::string_view(before.data(), 16), std::string_view(bytes.data(), 16));
    }
}

} // namespace
} // namespace flotilla::hub::entry_id_test
