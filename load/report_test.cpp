#include "load/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/terminal.hpp"

namespace flotilla::load::report_test {
namespace {

using testing::HasSubstr;

bench::OpenLoad two_kinds() {
    const auto nothing = [] { return std::string(); };
    return {.streams = {{"product", 3, nothing}, {"order", 1, nothing}}, .seconds = std::chrono::seconds(2)};
}

// Goal: requests, rate, times and failures stand in one row of each kind, and what failed is told by its answer.
TEST(LoadSummary, TellsTimesAndFailuresOfEachKind) {
    cli::set_coloured(false);
    bench::OpenOutcome outcome;
    outcome.streams.push_back({.sent = 4, .served = 4, .latencies_us = {1'000, 2'000, 3'000, 40'000}});
    outcome.streams.push_back(
        {.sent = 5, .served = 1, .refused = 1, .failures = {{"404 Not Found", 2}}, .latencies_us = {12'340}});
    EXPECT_FALSE(all_served(outcome));
    const auto text = summary(two_kinds(), std::move(outcome));
    EXPECT_THAT(text, HasSubstr("product  4     2.0       2.0     40   40   40     40       -"));
    EXPECT_THAT(text, HasSubstr("order    5     0.5       12      12   12   12     12       4 (80.00 %)"));
    EXPECT_THAT(text, HasSubstr("all      9     2.5"));
    EXPECT_THAT(text, HasSubstr("2  404 Not Found"));
    EXPECT_THAT(text, HasSubstr("1  503 Service Unavailable"));
    EXPECT_THAT(text, HasSubstr("1  no answer within 1 s"));
}

// Goal: where all went well nothing is said about failures.
TEST(LoadSummary, SaysNothingOfFailuresWhereAllWasServed) {
    bench::OpenOutcome outcome;
    outcome.streams = {{.sent = 1, .served = 1, .latencies_us = {1'000}}, {.sent = 0}};
    EXPECT_TRUE(all_served(outcome));
    EXPECT_EQ(summary(two_kinds(), std::move(outcome)).find('%'), std::string::npos);
}

// Goal: the bar grows with the time that has passed, and the line never exceeds the terminal.
TEST(LoadProgress, LineShowsHowFarItIs) {
    const bench::OpenProgress half{.passed = std::chrono::seconds(15), .sent = 150, .failed = 2, .p50_us = 1'500};
    const auto line = progress_line(half, std::chrono::seconds(30), 200);
    EXPECT_THAT(line, HasSubstr("[============            ] 15/30 s  150 sent  2 failed  p50 1.5 ms"));
    EXPECT_EQ(progress_line(half, std::chrono::seconds(30), 40).size(), 40u);
}

} // namespace
} // namespace flotilla::load::report_test
