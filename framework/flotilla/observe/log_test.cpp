#include <flotilla/observe/log.hpp>

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace flotilla::log_test {
namespace {

class LogTest {
public:
    explicit LogTest(Logger::Format format, LogLevel level = LogLevel::info)
        : log(
              "order-service", level, format, [this](std::string_view line) { lines.emplace_back(line); },
              [] { return Timestamp(1'769'846'400'123'000); }) {}

    std::vector<std::string> lines;
    Logger log;
};

TraceContext some_trace() { return TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"); }

// Goal: a JSON line has exactly the agreed keys in the agreed order.
TEST(Log, WriteJsonWithTraceAndFieldsGivesGoldenLine) {
    LogTest test(Logger::Format::json);
    const auto trace = some_trace();
    test.log.write(LogLevel::warning, &trace, "stock is low",
                   {{"product", "A1"}, {"left", 3}, {"share", 0.25}, {"sold", true}});

    ASSERT_EQ(test.lines.size(), 1u);
    EXPECT_EQ(test.lines[0], R"({"time":"2026-01-31T08:00:00.123Z","level":"warning","service":"order-service",)"
                             R"("message":"stock is low","trace_id":"0af7651916cd43dd8448eb211c80319c",)"
                             R"("span_id":"b7ad6b7169203331","product":"A1","left":3,"share":0.25,"sold":true})"
                             "\n");
}

// Goal: without a trace the trace keys are absent, not empty.
TEST(Log, WriteJsonWithoutTraceOmitsTraceKeys) {
    LogTest test(Logger::Format::json);
    test.log.info("started");
    const TraceContext invalid;
    test.log.write(LogLevel::info, &invalid, "again", {});

    ASSERT_EQ(test.lines.size(), 2u);
    EXPECT_EQ(test.lines[0],
              R"({"time":"2026-01-31T08:00:00.123Z","level":"info","service":"order-service","message":"started"})"
              "\n");
    EXPECT_EQ(test.lines[1].find("trace_id"), std::string::npos);
}

// Goal: text from outside cannot start a second line or break the JSON.
TEST(Log, WriteTextWithLineBreaksStaysOneLine) {
    for (const auto format : {Logger::Format::json, Logger::Format::pretty}) {
        LogTest test(format);
        test.log.info("a\nb\"c\x1b[2J", {{"k\n", "x\r\ny"}});
        ASSERT_EQ(test.lines.size(), 1u);
        EXPECT_EQ(test.lines[0].find('\n'), test.lines[0].size() - 1);
        EXPECT_EQ(test.lines[0].find('\r'), std::string::npos);
        EXPECT_EQ(test.lines[0].find("\x1b[2J"), std::string::npos);
    }
}

// Goal: numbers JSON cannot express still give a valid line.
TEST(Log, WriteInfinityGivesQuotedText) {
    LogTest test(Logger::Format::json);
    test.log.info("ratio", {{"value", 1.0 / 0.0}});
    ASSERT_EQ(test.lines.size(), 1u);
    EXPECT_NE(test.lines[0].find(R"("value":"inf")"), std::string::npos) << test.lines[0];
}

// Goal: lines below the level cost nothing and are not written, by any way in.
TEST(Log, WriteBelowLevelWritesNothing) {
    LogTest test(Logger::Format::json, LogLevel::error);
    test.log.info("a");
    test.log.warning("b");
    test.log.error("c");
    EXPECT_FALSE(test.log.enabled(LogLevel::warning));
    ASSERT_EQ(test.lines.size(), 1u);
    EXPECT_NE(test.lines[0].find(R"("level":"error")"), std::string::npos);
}

// Goal: the terminal form is aligned and coloured; values with spaces are quoted.
TEST(Log, WritePrettyGivesGoldenLine) {
    LogTest test(Logger::Format::pretty);
    test.log.warning("stock is low", {{"product", "A 1"}, {"left", 3}});
    ASSERT_EQ(test.lines.size(), 1u);
    EXPECT_EQ(
        test.lines[0],
        "\x1b[90m08:00:00.123\x1b[0m \x1b[33mwarning\x1b[0m order-service        stock is low                      "
        "           \x1b[90mproduct=\x1b[0m\"A 1\" \x1b[90mleft=\x1b[0m3\n");
}

// Goal: threads share a logger without losing or mixing lines.
TEST(Log, WriteFromManyThreadsKeepsLinesWhole) {
    LogTest test(Logger::Format::json);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([copy = test.log, t] {
            for (int i = 0; i < 250; ++i)
                copy.info("line", {{"thread", t}, {"i", i}});
        });
    }
    for (auto& thread : threads)
        thread.join();
    ASSERT_EQ(test.lines.size(), 1000u);
    for (const auto& line : test.lines) {
        EXPECT_TRUE(line.starts_with("{\"time\"") && line.ends_with("}\n")) << line;
    }
}

} // namespace
} // namespace flotilla::log_test
