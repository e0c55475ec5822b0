// What the log says about a request that took too long.
#include <chrono>

#include <gtest/gtest.h>

#include <flotilla/aio/offload.hpp>
#include <flotilla/service/test_host.hpp>

namespace flotilla::slow_request_test {
namespace {

using namespace test;
using namespace std::chrono_literals;

struct Name {
    std::string name;
};
struct Text {
    std::string text;
};

constexpr Service slow_service{"slow-service"};
constexpr Service service{"test-service"};
constexpr Endpoint<Name, Text> slow{slow_service, Method::get, "/slow/{name}"};
constexpr Endpoint<Text, Text> work{service, Method::post, "/work"};
constexpr Endpoint<Name, Text> spin{service, Method::get, "/spin/{name}"};

constexpr Migration kMigrations[] = {{1, "0001_things", "CREATE TABLE things (id TEXT PRIMARY KEY);"}};

/// Keeps the thread to itself.
void keep_busy(Duration time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
    }
}

struct Slow {
    task<Result<Text>> answer(Context& context, Name) {
        co_await must(sleep_for(context, 30ms));
        co_return Text{"late"};
    }
};

constexpr Statement<std::string> insert_thing{"INSERT INTO things (id) VALUES ($1)"};

struct Working {
    Database& database;
    Calls& calls;

    task<Result<Text>> work(Context& context, Text request) {
        co_await must(calls.call(context, slow, {.name = "a"}));
        co_await must(offload(context, []() -> Result<void> { return keep_busy(5ms), Result<void>(); }));
        co_return co_await database.transact(context, [](Transaction& tx) -> Result<Text> {
            keep_busy(5ms);
            tx.execute(insert_thing, tx.new_id());
            return Text{"done"};
        });
    }
    task<Result<Text>> spin(Context&, Name) {
        keep_busy(40ms);
        co_return Text{"dizzy"};
    }
};

class SlowRequestTest : public testing::Test {
protected:
    void start(HostOptions options) {
        options.access_log_sample = 1'000'000;
        other_.emplace(
            bench_, [](Host& host) { host.serve(slow, &Slow::answer, host.own<Slow>()); },
            HostOptions{.node = {.service = "slow-service"}, .slow_request = 0ms});
        const Instance instance{.id = "slow-0", .service = "slow-service", .address = other_->address()};
        host_.emplace(
            bench_,
            [](Host& host) {
                auto& working = host.own<Working>(host.database(kMigrations), host.calls({slow_service}));
                host.serve(work, &Working::work, working);
                host.serve(spin, &Working::spin, working);
            },
            std::move(options), TestHost::Known{{"slow-service", {instance}}});
    }
    static double number(const boost::json::value& line, std::string_view key) {
        const auto* found = line.as_object().if_contains(key);
        return found ? found->to_number<double>() : 0;
    }

    Bench bench_;
    std::optional<TestHost> other_;
    std::optional<TestHost> host_;
};

// Goal: the line tells the calls, the offloaded work, the database and the rest apart; together they are the duration.
TEST_F(SlowRequestTest, LineTellsCallsWorkAndDatabaseApart) {
    start({.slow_request = 30ms});
    ASSERT_EQ(host_->post("/work", R"({"text":"x"})").status(), 200);
    const auto lines = bench_.lines_with("slow request");
    ASSERT_EQ(lines.size(), 1u);
    const auto& line = lines[0];
    EXPECT_EQ(line.at("level").as_string(), "warning");
    EXPECT_EQ(line.at("method").as_string(), "POST");
    EXPECT_EQ(line.at("path").as_string(), "/work");
    EXPECT_EQ(line.at("route").as_string(), "/work");
    EXPECT_EQ(line.at("status").as_int64(), 200);
    EXPECT_GE(number(line, "calls_ms"), 30);
    EXPECT_EQ(line.at("calls").as_int64(), 1);
    EXPECT_EQ(line.at("slowest_call").as_string(), "GET slow-service/slow/{name}");
    EXPECT_EQ(number(line, "slowest_call_ms"), number(line, "calls_ms"));
    EXPECT_GE(number(line, "offload_run_ms"), 4.9);
    EXPECT_GE(number(line, "database_body_ms"), 9.9); // bodies run twice here
    EXPECT_GT(number(line, "database_commit_ms"), 0);
    double sum = -number(line, "overlap_ms");
    for (const auto* key : {"own_ms", "request_body_ms", "calls_ms", "database_queue_ms", "database_body_ms",
                            "database_commit_ms", "offload_queue_ms", "offload_run_ms", "loop_ms", "answer_ms"})
        sum += number(line, key);
    EXPECT_NEAR(sum, number(line, "duration_ms"), 0.05);
}

// Goal: code that keeps the loop to itself is found out, though it answers in the turn it began in.
TEST_F(SlowRequestTest, OwnCodeThatHoldsTheLoopIsFound) {
    start({.slow_request = 20ms});
    ASSERT_EQ(host_->get("/spin/a").status(), 200);
    const auto lines = bench_.lines_with("slow request");
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_GE(number(lines[0], "duration_ms"), 30); // the kernel's ticks are 4 ms and more apart
    EXPECT_GE(number(lines[0], "own_ms"), 30);
    EXPECT_TRUE(bench_.eventually([&] {
        const auto text = host_->get("/metrics").body;
        return !text.contains("flotilla_loop_turn_seconds_bucket{loop=\"1\",le=\"+Inf\"} 0") &&
               text.contains("flotilla_slow_requests_total 1");
    }));
}

// Goal: a slow request is logged once, also when every request is; a quick one and a disabled log say nothing of it.
TEST_F(SlowRequestTest, SlowRequestIsLoggedOnce) {
    start({.access_log_sample = 1, .slow_request = 10s});
    ASSERT_EQ(host_->get("/spin/a").status(), 200);
    EXPECT_EQ(bench_.lines_with("slow request").size(), 0u);
    host_.reset();
    other_.reset();
    start({.slow_request = 0ms});
    ASSERT_EQ(host_->get("/spin/a").status(), 200);
    EXPECT_EQ(bench_.lines_with("slow request").size(), 0u);
    host_.reset();
    other_.reset();

    HostOptions every{.access_log_sample = 1, .slow_request = 20ms};
    TestHost alone(bench_, [](Host& host) { host.serve(slow, &Slow::answer, host.own<Slow>()); }, every);
    ASSERT_EQ(alone.get("/slow/a").status(), 200);
    EXPECT_EQ(bench_.lines_with("\"/slow/a\"").size(), 1u);
    EXPECT_EQ(bench_.lines_with("slow request").size(), 1u);
}

// Goal: a client that sends its body late is told from a service that is slow.
TEST_F(SlowRequestTest, LateBodyIsTheClients) {
    start({.slow_request = 20ms});
    const auto late = [&](Context& context) -> task<void> {
        auto exchange = (co_await bench_.client().open(context, host_->address())).value();
        auto request = request_of("POST", "/work");
        request.head.headers.add("content-type", "application/json");
        const std::string body = R"({"text":"x"})";
        EXPECT_TRUE(co_await exchange->send(context, request.head, http::BodySize::unknown()));
        EXPECT_TRUE(co_await sleep_for(context, 40ms));
        EXPECT_TRUE(co_await exchange->write(context, body));
        EXPECT_TRUE(co_await exchange->finish(context));
        EXPECT_EQ((co_await exchange->receive(context)).value()->status, 200);
    };
    bench_.wait(late(bench_.root()));
    const auto lines = bench_.lines_with("slow request");
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_GE(number(lines[0], "request_body_ms"), 35);
}

} // namespace
} // namespace flotilla::slow_request_test
