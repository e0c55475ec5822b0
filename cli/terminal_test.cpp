#include "cli/terminal.hpp"

#include <gtest/gtest.h>

#include "cli/fleet_report.hpp"
#include "cli/log_line.hpp"

namespace flotilla::cli::terminal_test {
namespace {

class TerminalTest : public testing::Test {
protected:
    ~TerminalTest() override { set_coloured(false); }
};

const FleetReport kFleet{
    .fleet = "shop",
    .data = "/data",
    .supervised = true,
    .members = {
        {.name = "hub", .state = "ok", .address = "http://127.0.0.1:8500", .pid = 12, .uptime_seconds = 7},
        {.name = "user-service",
         .state = "degraded",
         .address = "http://127.0.0.1:3001",
         .pid = 4711,
         .restarts = 2,
         .uptime_seconds = 7300,
         .detail = "bus: connection refused"},
        {.name = "gateway", .state = "down", .address = "http://127.0.0.1:3000", .detail = "ended: exit code 1"}}};

// Goal: columns align, reasons stand below their row, nothing trails.
TEST_F(TerminalTest, ReportIsATable) {
    set_coloured(false);
    EXPECT_EQ(describe(kFleet, "./flotilla up"),
              "\n"
              "  shop  /data\n"
              "\n"
              "  SERVICE       HEALTH    ADDRESS                PID   UPTIME  RESTARTS\n"
              "  hub           ok        http://127.0.0.1:8500  12    7 s     -\n"
              "  user-service  degraded  http://127.0.0.1:3001  4711  2 h     2\n"
              "      bus: connection refused\n"
              "  gateway       down      http://127.0.0.1:3000  -     -       -\n"
              "      ended: exit code 1\n"
              "\n");
}

// Goal: colours change how it looks, not what it says or where it stands.
TEST_F(TerminalTest, ColoursChangeNoColumn) {
    set_coloured(true);
    const auto coloured = describe(kFleet, "./flotilla up");
    EXPECT_TRUE(coloured.contains("\x1b[32mok      \x1b[0m")) << coloured;
    EXPECT_TRUE(coloured.contains("\x1b[33mdegraded\x1b[0m"));
    EXPECT_TRUE(coloured.contains("\x1b[31mdown    \x1b[0m"));
    std::string stripped;
    for (std::size_t i = 0; i < coloured.size(); ++i) {
        if (coloured[i] == '\x1b')
            i = coloured.find('m', i);
        else
            stripped += coloured[i];
    }
    set_coloured(false);
    EXPECT_EQ(stripped, describe(kFleet, "./flotilla up"));
}

// Goal: characters of several bytes count as one column.
TEST_F(TerminalTest, PaddingCountsCharacters) {
    EXPECT_EQ(padded("Zoë", 5), "Zoë  ");
    EXPECT_EQ(padded("longer", 3), "longer");
}

// Goal: a fleet that nobody looks after says so.
TEST_F(TerminalTest, UnsupervisedFleetSaysSo) {
    auto fleet = kFleet;
    fleet.supervised = false;
    EXPECT_TRUE(describe(fleet, "./flotilla up").contains("Nobody supervises this fleet"));
}

// Goal: a JSON line becomes readable, anything else stays as it is, and neither can steer the terminal.
TEST_F(TerminalTest, LogLinesAreReadable) {
    set_coloured(false);
    EXPECT_EQ(
        pretty(read_log_line(
            "order-service",
            R"({"time":"2026-01-02T03:04:05.678901Z","level":"warning","service":"x","message":"slow","ms":7,"why":"a\u001b[2Jb"})")),
        "03:04:05.678 warning order-service        slow                         ms=7 why=a [2Jb");
    EXPECT_EQ(pretty(read_log_line("hub", "terminate called\x1b[2J")),
              "                     hub                  terminate called [2J");
    EXPECT_EQ(read_log_line("hub", "{\"time\":").time, "");
}

// Goal: several logs read as one story; lines without a time stay with their own.
TEST_F(TerminalTest, LogsAreMergedByTime) {
    const auto at = [](const char* second, const char* member) {
        return read_log_line(member, std::string(R"({"time":"2026-01-02T03:04:0)") + second + R"(Z","message":"m"})");
    };
    const auto merged =
        merge({{at("1", "a"), read_log_line("a", "trace of 1"), at("4", "a")}, {at("2", "b"), at("3", "b")}});
    std::string order;
    for (const auto& line : merged)
        order += line.time.empty() ? "trace " : line.time.substr(18, 1) + line.member + " ";
    EXPECT_EQ(order, "1a trace 2b 3b 4a ");
}

} // namespace
} // namespace flotilla::cli::terminal_test
