#include "cli/supervisor.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>

namespace flotilla::cli::supervisor_test {
namespace {

using namespace std::chrono_literals;

/// A supervisor that comes after one which was killed and left a process behind.
class SupervisorTest : public testing::Test {
protected:
    SupervisorTest() : folder_{(std::filesystem::temp_directory_path() / "flotilla-supervisor-XXXXXX").string()} {
        if (::mkdtemp(folder_.root.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        create_folders(folder_);
    }
    ~SupervisorTest() override {
        send_signal(left_behind_, SIGKILL);
        std::filesystem::remove_all(folder_.root);
    }

    /// A member that runs for long and never answers.
    PlannedMember sleeper(const std::string& seconds) {
        return {.name = "hub",
                .port = 1,
                .command = {.binary = "/bin/sleep",
                            .arguments = {seconds},
                            .environment = {},
                            .log_file = folder_.log_file("hub")}};
    }
    /// Starts it, as an earlier supervisor would have, and gives that one's state.
    FleetState leave_behind(const PlannedMember& member) {
        auto started = start_process(member.command, [](const auto&) { return Result<void>(); });
        if (!started) throw std::runtime_error(started.error().message());
        left_behind_ = *started;
        const auto changed = std::filesystem::last_write_time(member.command.binary).time_since_epoch().count();
        return {.members = {{.name = member.name,
                             .process = left_behind_,
                             .port = member.port,
                             .binary = member.command.binary,
                             .binary_changed = changed}}};
    }
    /// Starts a supervisor with that plan; it has `patience` to become ready, which it never does.
    FleetState start(FleetState state, PlannedMember planned, Duration patience) {
        Loop loop;
        Context root(loop.world());
        Context bounded(root, patience);
        Supervisor supervisor(loop.world(), folder_, std::move(state),
                              Logger("fleet", LogLevel::error, Logger::Format::json));
        std::vector<PlannedMember> plan{std::move(planned)};
        auto started = loop.run_until_done(supervisor.start(bounded, std::move(plan)));
        EXPECT_FALSE(started);
        message_ = started ? "" : started.error().message();
        return supervisor.state();
    }

    DataFolder folder_;
    ProcessIdentity left_behind_;
    std::string message_;
};

// Goal: a process that runs as planned is kept, not started a second time.
TEST_F(SupervisorTest, KeepsWhatRunsAsPlanned) {
    const auto state = start(leave_behind(sleeper("1000")), sleeper("1000"), 100ms);
    ASSERT_EQ(state.members.size(), 1U);
    EXPECT_EQ(state.members[0].process, left_behind_);
    EXPECT_TRUE(is_alive(left_behind_));
}

// Goal: one that runs otherwise is stopped before the planned one starts.
TEST_F(SupervisorTest, ReplacesWhatRunsOtherwise) {
    const auto state = start(leave_behind(sleeper("1000")), sleeper("2000"), 200ms);
    EXPECT_FALSE(is_alive(left_behind_));
    ASSERT_EQ(state.members.size(), 1U);
    EXPECT_TRUE(is_alive(state.members[0].process));
    EXPECT_TRUE(send_signal(state.members[0].process, SIGKILL));
}

// Goal: one that is planned no more is stopped; a member that ends while starting is told with its last lines.
TEST_F(SupervisorTest, StopsWhatIsPlannedNoMore) {
    auto state = leave_behind(sleeper("1000"));
    state.members[0].name = "old-service";
    auto failing = sleeper("");
    failing.command.binary = "/bin/sh";
    failing.command.arguments = {"-c", "echo no luck; exit 3"};
    start(std::move(state), failing, 10s);
    EXPECT_FALSE(is_alive(left_behind_));
    EXPECT_TRUE(message_.starts_with("hub ended while starting")) << message_;
    EXPECT_TRUE(message_.contains("no luck")) << message_;
}

// Goal: one whose configuration file has changed since is replaced.
TEST_F(SupervisorTest, ReplacesWhatReadAnOlderConfiguration) {
    auto planned = sleeper("1000");
    planned.config_file = folder_.root + "/gateway.yaml";
    std::ofstream(planned.config_file) << "routes: []";
    const auto state = start(leave_behind(planned), planned, 200ms);
    EXPECT_FALSE(is_alive(left_behind_));
    ASSERT_EQ(state.members.size(), 1U);
    const auto changed = std::filesystem::last_write_time(planned.config_file).time_since_epoch().count();
    EXPECT_EQ(state.members[0].config_changed, changed);
    EXPECT_TRUE(send_signal(state.members[0].process, SIGKILL));
}

// Goal: a member of a changed plan that ends while starting is told at once, though it is being started again.
TEST_F(SupervisorTest, ChangedPlanThatFailsIsToldAtOnce) {
    Loop loop;
    Context root(loop.world());
    Supervisor supervisor(loop.world(), folder_, {},
                          Logger("fleet", LogLevel::error, Logger::Format::json, [](auto) {}));
    auto failing = sleeper("");
    failing.command.binary = "/bin/sh";
    failing.command.arguments = {"-c", "echo no luck; exit 3"};
    auto work = [](Context& context, Supervisor& watched, PlannedMember planned) -> task<Result<void>> {
        Scope watching(context);
        watching.spawn(watched.watch(watching.context()));
        Context bounded(context, Duration(10s));
        std::vector<PlannedMember> plan{std::move(planned)};
        auto applied = co_await watched.apply(bounded, std::move(plan));
        watching.cancel(Error(Kind::cancelled, "seen enough"));
        co_await watching.join();
        co_await watched.stop(context);
        co_return applied;
    };
    auto applied = loop.run_until_done(work(root, supervisor, std::move(failing)));
    ASSERT_FALSE(applied);
    EXPECT_TRUE(applied.error().message().starts_with("hub ended while starting (exit code 3)"))
        << applied.error().message();
    EXPECT_TRUE(applied.error().message().contains("no luck")) << applied.error().message();
}

// Goal: a start that fails stops what it launched itself; what it took over lives on and stays recorded.
TEST_F(SupervisorTest, FailedStartLeavesWhatItTookOver) {
    auto healthy = sleeper("1000");
    healthy.name = "user-service";
    Loop loop;
    Context root(loop.world());
    Context bounded(root, Duration(100ms));
    Supervisor supervisor(loop.world(), folder_, leave_behind(healthy),
                          Logger("fleet", LogLevel::error, Logger::Format::json));
    std::vector<PlannedMember> plan{sleeper("2000"), healthy};
    ASSERT_FALSE(loop.run_until_done(supervisor.start(bounded, std::move(plan))));
    const auto launched = supervisor.state().members[0].process;
    ASSERT_TRUE(is_alive(launched));
    EXPECT_TRUE(loop.run_until_done(supervisor.give_up(root)));
    EXPECT_FALSE(is_alive(launched));
    EXPECT_TRUE(is_alive(left_behind_));
    const auto state = read_state(folder_);
    ASSERT_TRUE(state && *state);
    ASSERT_EQ((*state)->members.size(), 2U);
    EXPECT_EQ((*state)->members[1].process, left_behind_);
}

// Goal: a start that fails and took over nothing leaves no fleet.
TEST_F(SupervisorTest, FailedStartOfNewFleetIsForgotten) {
    Loop loop;
    Context root(loop.world());
    Context bounded(root, Duration(100ms));
    Supervisor supervisor(loop.world(), folder_, {}, Logger("fleet", LogLevel::error, Logger::Format::json));
    std::vector<PlannedMember> plan{sleeper("2000")};
    ASSERT_FALSE(loop.run_until_done(supervisor.start(bounded, std::move(plan))));
    EXPECT_FALSE(loop.run_until_done(supervisor.give_up(root)));
    EXPECT_FALSE(is_alive(supervisor.state().members[0].process));
    const auto state = read_state(folder_);
    EXPECT_TRUE(state && !*state);
}

// Goal: a member that cannot be recorded is not started, and the reason is told.
TEST_F(SupervisorTest, UnwritableStateStartsNothing) {
    std::filesystem::create_directory(folder_.state_file());
    auto speaking = sleeper("");
    speaking.command.binary = "/bin/sh";
    speaking.command.arguments = {"-c", "echo ran; exec sleep 1000"};
    const auto state = start({}, speaking, 10s);
    EXPECT_EQ(message_, "hub: not started: cannot write " + folder_.state_file() + ": Is a directory");
    EXPECT_TRUE(last_lines(folder_.log_file("hub"), 5).empty());
    EXPECT_FALSE(std::filesystem::exists(folder_.state_file() + "." + std::to_string(getpid())));
}

// Goal: how taking a new plan went is on disk for whoever asked for it.
TEST_F(SupervisorTest, ReloadOutcomeIsKept) {
    Loop loop;
    Supervisor supervisor(loop.world(), folder_, {},
                          Logger("fleet", LogLevel::error, Logger::Format::json, [](auto) {}));
    supervisor.note_reload(Error(Kind::invalid, "flotilla.yaml:3: unknown key"));
    auto state = read_state(folder_);
    ASSERT_TRUE(state && *state);
    EXPECT_EQ((*state)->reloads, 1);
    EXPECT_EQ((*state)->reload_error, "flotilla.yaml:3: unknown key");
    supervisor.note_reload({});
    state = read_state(folder_);
    EXPECT_EQ((*state)->reloads, 2);
    EXPECT_FALSE((*state)->reload_error);
}

} // namespace
} // namespace flotilla::cli::supervisor_test
