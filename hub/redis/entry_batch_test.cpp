#include "hub/redis/entry_batch.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::entry_batch_test {
namespace {

EntryRow row_of(const EntryBatch& batch) { return {batch.last_position(), batch.ids(), batch.sizes(), batch.bodies()}; }

/// "position:ms=body" of what the row still has, or the error.
std::string text_of(const EntryRow& row) {
    std::string text;
    const auto done = row.for_each([&](std::int64_t position, EntryId id, std::string_view body) {
        text += std::to_string(position) + ':' + id.to_string() + '=' + std::string(body) + ' ';
    });
    return done ? text : done.error().message();
}

EntryBatch three() {
    EntryBatch batch;
    batch.start(7);
    batch.add(5, {1, 0}, "one");
    batch.add(6, {1, 1}, "");
    batch.add(7, {9, 0}, std::string_view("t\0o", 3));
    return batch;
}

// Goal: entries come back from a row with their positions, ids and bytes; one alone needs no sizes.
TEST(EntryBatch, RowReadsBackWhatWasAdded) {
    const EntryBatch batch = three();
    EXPECT_EQ(batch.stream(), 7);
    EXPECT_EQ(text_of(row_of(batch)), std::string("5:1-0=one 6:1-1= 7:9-0=t\0o ", 27));
    EntryBatch single;
    single.add(3, {4, 4}, "alone");
    EXPECT_TRUE(single.sizes().empty()) << "as version 1 of the schema had it";
    EXPECT_EQ(text_of(row_of(single)), "3:4-4=alone ");
    single.clear();
    EXPECT_TRUE(single.empty());
}

// Goal: a batch ends with the 64th entry, with 16 KiB, and with a gap in the positions; one large entry is taken.
TEST(EntryBatch, BoundsEndABatch) {
    EntryBatch batch;
    EXPECT_TRUE(batch.takes(1, 8 << 20));
    for (std::int64_t i = 1; i <= 64; ++i) {
        ASSERT_TRUE(batch.takes(i, 10));
        batch.add(i, {1, static_cast<std::uint64_t>(i)}, "0123456789");
    }
    EXPECT_FALSE(batch.takes(65, 10));
    batch.clear();
    batch.add(1, {1, 0}, std::string(16 * 1024 - 10, 'x'));
    EXPECT_TRUE(batch.takes(2, 10));
    EXPECT_FALSE(batch.takes(2, 11));
    EXPECT_FALSE(batch.takes(3, 1));
}

// Goal: removed entries are skipped and keep the positions of the others; the last removal says that the row can go.
TEST(EntryBatch, RemovalMarksTheEntry) {
    const EntryBatch batch = three();
    std::string sizes(batch.sizes());
    const auto rest = [&] { return text_of({batch.last_position(), batch.ids(), sizes, batch.bodies()}); };
    EXPECT_EQ(remove_from_sizes(sizes, 7, 7).value(), true);
    EXPECT_EQ(rest(), "5:1-0=one 6:1-1= ");
    EXPECT_EQ(remove_from_sizes(sizes, 7, 5).value(), true);
    EXPECT_EQ(rest(), "6:1-1= ");
    EXPECT_EQ(remove_from_sizes(sizes, 7, 6).value(), false);
    EXPECT_EQ(rest(), "");
    EXPECT_FALSE(remove_from_sizes(sizes, 7, 4));
    EXPECT_FALSE(remove_from_sizes(sizes, 7, 8));
}

// Goal: a row whose columns do not fit together is an error, never read past its end.
TEST(EntryBatch, DamagedRowIsTold) {
    const EntryBatch batch = three();
    const std::string damaged = "a row of entries is damaged: its sizes do not add up";
    EXPECT_EQ(text_of({7, batch.ids().substr(1), batch.sizes(), batch.bodies()}), damaged);
    EXPECT_EQ(text_of({7, batch.ids(), batch.sizes().substr(4), batch.bodies()}), damaged);
    EXPECT_EQ(text_of({7, batch.ids(), "", batch.bodies()}), damaged);
    EXPECT_EQ(text_of({7, batch.ids(), batch.sizes(), batch.bodies().substr(1)}), damaged);
    EXPECT_EQ(text_of({7, batch.ids(), batch.sizes(), std::string(batch.bodies()) + "x"}), damaged);
}

} // namespace
} // namespace flotilla::hub::entry_batch_test
