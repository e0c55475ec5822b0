#include "cli/child_process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include <flotilla/testing/test_service.hpp>

namespace flotilla::cli {
namespace {

class ChildProcessTest : public testing::Test {
protected:
    ChildProcessTest()
        : log_(std::filesystem::temp_directory_path() / ("flotilla-child-" + std::to_string(getpid()) + ".log")) {}
    ~ChildProcessTest() override { std::filesystem::remove(log_); }

    Result<ProcessIdentity> start(const std::string& script, std::map<std::string, std::string> environment = {}) {
        return start_process({.binary = "/bin/sh",
                              .arguments = {"-c", script},
                              .environment = std::move(environment),
                              .log_file = log_.string()});
    }
    std::string exit_of(const ProcessIdentity& process) {
        std::string how;
        EXPECT_TRUE(eventually([&] {
            const auto ended = reap_children();
            const auto found = ended.find(static_cast<pid_t>(process.pid));
            if (found != ended.end()) how = found->second;
            return !how.empty();
        }));
        return how;
    }
    std::filesystem::path log_;
};

// Goal: output lands in the log, the environment arrives, the exit is told.
TEST_F(ChildProcessTest, OutputAndExitAreKept) {
    auto process = start("echo out $COLOUR; echo err >&2; exit 3", {{"COLOUR", "red"}});
    ASSERT_TRUE(process) << process.error().message();
    EXPECT_EQ(exit_of(*process), "exit code 3");
    EXPECT_EQ(last_lines(log_.string(), 5), (std::vector<std::string>{"out red", "err"}));
    EXPECT_FALSE(is_alive(*process));
}

// Goal: a signal reaches that very process, never one that has its number.
TEST_F(ChildProcessTest, SignalsGoByIdentity) {
    auto process = start("exec sleep 1000");
    ASSERT_TRUE(process);
    EXPECT_TRUE(is_alive(*process));
    auto other = *process;
    other.start_ticks += 1;
    EXPECT_FALSE(is_alive(other));
    EXPECT_FALSE(send_signal(other, SIGKILL));
    EXPECT_TRUE(is_alive(*process));
    EXPECT_TRUE(send_signal(*process, SIGKILL));
    EXPECT_EQ(exit_of(*process), "killed by signal 9");
}

// Goal: a supervisor that ignores SIGPIPE has children that do not.
TEST_F(ChildProcessTest, IgnoredPipeSignalIsNotInherited) {
    const auto before = signal(SIGPIPE, SIG_IGN);
    auto process = start("kill -PIPE $$; exit 3");
    signal(SIGPIPE, before);
    ASSERT_TRUE(process) << process.error().message();
    EXPECT_EQ(exit_of(*process), "killed by signal 13");
}

// Goal: what cannot be run is reported at once, with the reason.
TEST_F(ChildProcessTest, MissingBinaryIsReported) {
    auto process =
        start_process({.binary = "/no/such/binary", .arguments = {}, .environment = {}, .log_file = log_.string()});
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().message(), "cannot run /no/such/binary: No such file or directory");
}

} // namespace
} // namespace flotilla::cli
