#include <flotilla/observe/slow_requests.hpp>

#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/manual_world.hpp>

namespace flotilla::slow_requests_test {
namespace {

using namespace std::chrono_literals;
using On = TimeSpent::On;

class SlowRequestsTest : public testing::Test {
protected:
    /// A request that waits for a call and a transaction, and works on its own.
    bool request(Duration call) {
        TimeSpent spent(world);
        const TimeSpent::Attachment accounted(context, &spent);
        const Instant begin = world.at;
        {
            TimeSpent::Interval interval(context, On::calls);
            world.pass(call);
            interval.note_call({"GET ", "user-service", "/users/{id}"});
        }
        {
            TimeSpent::Interval interval(context, On::database);
            world.pass(20ms);
            interval.divide(3ms, 4ms, 12'345us);
        }
        world.pass(7ms);
        const Duration taken = world.at - begin;
        const std::array<LogField, 2> fields{LogField{"method", "POST"}, {"duration_ms", log_ms(taken)}};
        return slow.is_slow(taken, spent) && slow.note(context, taken, spent, fields);
    }

    ManualWorld world;
    Context context{world, TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")};
    std::vector<std::string> lines;
    Telemetry telemetry{Logger(
        "order-service", LogLevel::info, Logger::Format::json,
        [this](std::string_view line) { lines.emplace_back(line); }, [this] { return world.now(); })};
    SlowRequests slow{world, telemetry, 500ms};
};

// Goal: one line tells where the time went, and its times add up to the duration.
TEST_F(SlowRequestsTest, LineSaysWhereTheTimeWent) {
    EXPECT_FALSE(request(100ms));
    EXPECT_TRUE(request(600ms));
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0], R"({"time":"2026-01-31T08:00:00.754Z","level":"warning","service":"order-service",)"
                        R"("message":"slow request","trace_id":"0af7651916cd43dd8448eb211c80319c",)"
                        R"("span_id":"b7ad6b7169203331","method":"POST","duration_ms":627,"own_ms":7,"calls_ms":600,)"
                        R"("database_queue_ms":3,"database_body_ms":4,"database_commit_ms":12.345,"loop_ms":0.655,)"
                        R"("calls":1,"slowest_call":"GET user-service/users/{id}","slowest_call_ms":600})"
                        "\n");
    EXPECT_TRUE(telemetry.metrics.prometheus_text().contains("flotilla_slow_requests_total 1\n"));
}

// Goal: the line says how much time there was and how much is left; of a request that took longer, how much too long.
TEST_F(SlowRequestsTest, LineSaysWhatTheDeadlineLeft) {
    context.set_deadline(Deadline::after(world.at, 700ms));
    request(600ms);
    context.set_deadline(Deadline::after(world.at, 600ms));
    request(600ms);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_TRUE(lines[0].contains(R"("duration_ms":627,"budget_ms":700,"budget_left_ms":73,"own_ms":7)")) << lines[0];
    EXPECT_TRUE(lines[1].contains(R"("budget_ms":600,"budget_left_ms":-27,)")) << lines[1];
}

// Goal: an overloaded service does not drown in its own log; what is left out is counted and told.
TEST_F(SlowRequestsTest, ManyInASecondAreCountedInstead) {
    TimeSpent spent(world);
    const auto note = [&] { return slow.note(context, 1s, spent, {}); };
    for (int i = 0; i < 25; ++i)
        EXPECT_EQ(note(), i < SlowRequests::kLinesPerSecond) << i;
    EXPECT_EQ(lines.size(), 10u);
    world.pass(1s);
    EXPECT_TRUE(note());
    EXPECT_TRUE(note());
    ASSERT_EQ(lines.size(), 12u);
    EXPECT_TRUE(lines[10].contains(R"("suppressed":15)")) << lines[10];
    EXPECT_FALSE(lines[11].contains("suppressed")) << lines[11];
    EXPECT_TRUE(telemetry.metrics.prometheus_text().contains("flotilla_slow_requests_total 27\n"));
}

// Goal: what is meant to last, a stream of events, is not slow because it does.
TEST_F(SlowRequestsTest, LastingRequestIsNotSlow) {
    TimeSpent lasting(world);
    EXPECT_TRUE(slow.is_slow(1h, lasting));
    lasting.expect_to_last();
    EXPECT_FALSE(slow.is_slow(1h, lasting));
}

// Goal: a threshold of zero turns it off.
TEST_F(SlowRequestsTest, ZeroThresholdTurnsItOff) {
    const SlowRequests off(world, telemetry, Duration::zero());
    EXPECT_FALSE(off.enabled());
    EXPECT_FALSE(off.is_slow(1h, TimeSpent(world)));
}

} // namespace
} // namespace flotilla::slow_requests_test
