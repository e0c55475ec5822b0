#include "hub/consul/go_duration.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::consul::go_duration_test {
namespace {

using namespace std::chrono_literals;

// Goal: everything Consul's clients send is understood, compound forms included.
TEST(GoDuration, ParseKnownFormsGivesTheirLength) {
    EXPECT_EQ(parse_go_duration("250ms"), Duration(250ms));
    EXPECT_EQ(parse_go_duration("1.5h"), Duration(90min));
    EXPECT_EQ(parse_go_duration("1m30s"), Duration(90s));
    EXPECT_EQ(parse_go_duration("5m0s"), Duration(5min));
    EXPECT_EQ(parse_go_duration("10us"), Duration(10us));
    EXPECT_EQ(parse_go_duration("10µs"), Duration(10us));
    EXPECT_EQ(parse_go_duration("-2s"), Duration(-2s));
    EXPECT_EQ(parse_go_duration("0"), Duration(0));
}

// Goal: what Go refuses is refused.
TEST(GoDuration, ParseGarbageGivesNothing) {
    for (const auto* text : {"", "10", "s", "1x", "1.2.3s", "inf", "1e3s", "10s ", "-", "99999999999h"}) {
        EXPECT_EQ(parse_go_duration(text), std::nullopt) << text;
    }
}

// Goal: printed as Go prints it, so that clients comparing texts see what Consul shows.
TEST(GoDuration, TextIsGos) {
    EXPECT_EQ(go_text(0s), "0s");
    EXPECT_EQ(go_text(15s), "15s");
    EXPECT_EQ(go_text(1500ms), "1.5s");
    EXPECT_EQ(go_text(250ms), "250ms");
    EXPECT_EQ(go_text(5min), "5m0s");
    EXPECT_EQ(go_text(1h + 30s), "1h0m30s");
    EXPECT_EQ(go_text(-5min), "-5m0s");
    EXPECT_EQ(go_text(20us), "20µs");
}

} // namespace
} // namespace flotilla::hub::consul::go_duration_test
