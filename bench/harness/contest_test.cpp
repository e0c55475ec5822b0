#include "bench/harness/contest.hpp"

#include <gtest/gtest.h>

namespace flotilla::bench::contest_test {
namespace {

// Goal: the middle value counts, or the mean of the two in the middle.
TEST(Median, UnsortedValuesGiveTheMiddle) {
    EXPECT_EQ(median({5, 1, 3}), 3);
    EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
    EXPECT_EQ(median({7}), 7);
}

// Goal: contenders take turns, so that a disturbance hits all alike; each figure's median is its own.
TEST(Contest, RoundsInterleaveContenders) {
    std::string order;
    double next = 0;
    const auto contender = [&](char name) {
        return Contender{.name = std::string(1, name), .measure = [&, name] {
                             order += name;
                             next += 1;
                             return Measurement{.cpu_us = next, .per_second = -next};
                         }};
    };
    const auto medians = contest({contender('a'), contender('b')}, 3);
    EXPECT_EQ(order, "ababab");
    ASSERT_EQ(medians.size(), 2u);
    EXPECT_EQ(medians[0].cpu_us, 3);      // of 1, 3, 5
    EXPECT_EQ(medians[1].cpu_us, 4);      // of 2, 4, 6
    EXPECT_EQ(medians[1].per_second, -4); // of -2, -4, -6
}

} // namespace
} // namespace flotilla::bench::contest_test
