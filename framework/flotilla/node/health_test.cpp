#include <flotilla/node/health.hpp>

#include <gtest/gtest.h>

namespace flotilla::health_test {
namespace {

using namespace std::chrono_literals;

// Goal: a missing convenience degrades, a missing necessity makes unavailable, whoever goes away is unavailable.
TEST(HealthChecks, WorstCheckDecides) {
    HealthChecks checks;
    Result<void> extra, needed;
    checks.add("extra", [&] { return extra; }, false);
    checks.add("needed", [&] { return needed; }, true);
    EXPECT_EQ(checks.report(false).status, "ok");
    EXPECT_EQ(checks.report(true).status, "unavailable");
    extra = Error(Kind::unavailable, "the parrot is away");
    EXPECT_EQ(checks.report(false).status, "degraded");
    EXPECT_EQ(checks.report(false).checks.at("extra").detail, "the parrot is away");
    needed = Error(Kind::unavailable, "no water");
    EXPECT_EQ(checks.report(false).status, "unavailable");
    EXPECT_EQ(checks.report(false).checks.size(), 2U);
}

// Goal: a check with a bug says so on the page instead of taking it away.
TEST(HealthChecks, CheckThatThrowsHasFailed) {
    HealthChecks checks;
    checks.add("extra", []() -> Result<void> { throw std::runtime_error("off by one"); }, false);
    EXPECT_EQ(checks.report(false).status, "degraded");
    EXPECT_EQ(checks.report(false).checks.at("extra").detail, "the check threw: off by one");
}

// Goal: a state that is no fault is shown while there is one, and takes no failure's place.
TEST(HealthChecks, ShownStateIsADetail) {
    HealthChecks checks;
    Result<void> outcome;
    std::string state;
    checks.add("user-service", [&] { return outcome; }, false);
    checks.show("user-service", [&] { return state; });
    checks.show("role", [&] { return state; });
    EXPECT_EQ(checks.report(false).checks.size(), 1U);
    EXPECT_EQ(checks.report(false).checks.at("user-service").detail, std::nullopt);
    state = "one of two is out";
    const auto shown = checks.report(false);
    EXPECT_EQ(shown.status, "ok");
    EXPECT_EQ(shown.checks.at("user-service").detail, state);
    EXPECT_EQ(shown.checks.at("role").detail, state);
    outcome = Error(Kind::unavailable, "nobody is there");
    EXPECT_EQ(checks.report(false).checks.at("user-service").detail, "nobody is there");
}

// Goal: what fails on one loop is told beside what another one found.
TEST(HealthReport, FailuresOfAnotherLoopAreAdded) {
    HealthReport primary{.status = "ok"};
    primary.checks["registry"] = {"ok", std::nullopt};
    HealthReport other{.status = "degraded"};
    other.checks["registry"] = {"failed", "no answer"};
    other.checks["user-service"] = {"ok", std::nullopt};
    primary.add_failures(other);
    EXPECT_EQ(primary.status, "degraded");
    EXPECT_EQ(primary.checks.at("registry").detail, "no answer");
    EXPECT_EQ(primary.checks.size(), 1U);
    primary.add_failures({.status = "ok"});
    EXPECT_EQ(primary.status, "degraded");
    primary.add_failures({.status = "unavailable"});
    EXPECT_EQ(primary.status, "unavailable");
}

// Goal: health of a loop that cannot know is what the primary said last, and not for ever.
TEST(HealthBoard, OldReportIsUnavailable) {
    HealthBoard board;
    const Instant start{};
    EXPECT_EQ(board.last(start).status, "unavailable");
    board.post({.status = "degraded"}, start);
    EXPECT_EQ(board.last(start + 5s).status, "degraded");
    EXPECT_EQ(board.last(start + 6s).status, "unavailable");
    EXPECT_EQ(*board.last(start + 6s).checks.at("primary loop").detail, "does not answer");
}

} // namespace
} // namespace flotilla::health_test
