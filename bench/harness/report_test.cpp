#include "bench/harness/report.hpp"

#include <gtest/gtest.h>

namespace flotilla::bench::report_test {
namespace {

Row row() {
    return {.bench = "service",
            .what = "CPU",
            .ours = 6.5,
            .unit = "µs/request",
            .peer = "go",
            .peer_value = 10.0,
            .target = 0.65};
}

// Goal: a row's JSON object has exactly the nine members that tools read.
TEST(BenchRow, JsonOfComparedRowHasEveryMember) {
    EXPECT_EQ(to_json(row()), R"({"bench":"service","what":"CPU","ours":6.500,"unit":"µs/request","peer":"go",)"
                              R"("peer_value":10.000,"ratio":0.650,"target":0.650,"ok":true})");
}

// Goal: a peer that is missing is named, and no figure stands for it.
TEST(BenchRow, SkippedPeerHasNameAndNoFigures) {
    auto skipped = row();
    skipped.peer_value.reset();
    EXPECT_EQ(to_json(skipped), R"({"bench":"service","what":"CPU","ours":6.500,"unit":"µs/request","peer":"go",)"
                                R"("peer_value":null,"ratio":null,"target":0.650,"ok":null})");
    EXPECT_NE(to_table({skipped}).find("skipped"), std::string::npos);
}

// Goal: a target bounds costs from above and throughput from below.
TEST(BenchRow, TargetCountsInItsDirection) {
    auto cost = row();
    cost.ours = 6.6;
    EXPECT_EQ(cost.ok(), false);
    auto throughput = row();
    throughput.wanted = Wanted::at_least;
    throughput.ours = 6.4;
    EXPECT_EQ(throughput.ok(), false);
    throughput.ours = 6.6;
    EXPECT_EQ(throughput.ok(), true);
    throughput.target.reset();
    EXPECT_EQ(throughput.ok(), std::nullopt);
}

// Goal: columns stand under their headings although "µ" takes two bytes.
TEST(BenchTable, ColumnsAlignByCharacters) {
    auto plain = row();
    plain.unit = "us/request";
    EXPECT_EQ(to_table({row(), plain}), "bench    what  ours  unit        peer  peer's  ratio   target  ok\n"
                                        "service  CPU   6.50  µs/request  go      10.0   0.65  <= 0.65  yes\n"
                                        "service  CPU   6.50  us/request  go      10.0   0.65  <= 0.65  yes\n");
}

} // namespace
} // namespace flotilla::bench::report_test
