#include "cli/child_process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <flotilla/testing/test_service.hpp>

namespace flotilla::cli::child_process_test {
namespace {

Result<void> note_nothing(const ProcessIdentity&) { return {}; }

class ChildProcessTest : public testing::Test {
protected:
    ChildProcessTest()
        : log_(std::filesystem::temp_directory_path() / ("flotilla-child-" + std::to_string(getpid()) + ".log")) {}
    ~ChildProcessTest() override {
        std::filesystem::remove(log_);
        std::filesystem::remove_all(log_.string() + ".1");
    }

    Result<ProcessIdentity> start(const std::string& script, std::map<std::string, std::string> environment = {}) {
        return start_process(shell(script, std::move(environment)), note_nothing);
    }
    Command shell(const std::string& script, std::map<std::string, std::string> environment = {}) {
        return {.binary = "/bin/sh",
                .arguments = {"-c", script},
                .environment = std::move(environment),
                .log_file = log_.string()};
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

// Goal: the program does not begin before its process is recorded, and not at all when that fails.
TEST_F(ChildProcessTest, UnrecordedProcessDoesNotRun) {
    ProcessIdentity seen;
    auto refused = start_process(shell("echo ran"), [&](const ProcessIdentity& process) -> Result<void> {
        seen = process;
        EXPECT_TRUE(is_alive(process));
        return Error(Kind::unavailable, "the disk is full");
    });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "not started: the disk is full");
    EXPECT_FALSE(is_alive(seen));
    EXPECT_TRUE(last_lines(log_.string(), 5).empty());

    auto allowed = start_process(shell("echo ran"), [&](const ProcessIdentity& process) -> Result<void> {
        seen = process;
        return {};
    });
    ASSERT_TRUE(allowed) << allowed.error().message();
    EXPECT_EQ(*allowed, seen);
    EXPECT_EQ(exit_of(seen), "exit code 0");
    EXPECT_EQ(last_lines(log_.string(), 5), std::vector<std::string>{"ran"});
}

// Goal: a supervisor that is killed before it has recorded a process leaves none behind.
TEST_F(ChildProcessTest, KilledBeforeItIsRecordedLeavesNoProcess) {
    int told[2];
    ASSERT_EQ(pipe(told), 0);
    const pid_t supervisor = fork();
    if (supervisor == 0) {
        (void)start_process(shell("echo ran; exec sleep 1000"), [&](const ProcessIdentity& process) -> Result<void> {
            if (write(told[1], &process, sizeof process) == sizeof process) raise(SIGKILL);
            return {};
        });
        _exit(1);
    }
    close(told[1]);
    ProcessIdentity process;
    const auto size = read(told[0], &process, sizeof process);
    close(told[0]);
    ASSERT_EQ(size, static_cast<ssize_t>(sizeof process));
    EXPECT_EQ(exit_of({.pid = supervisor}), "killed by signal 9");
    EXPECT_TRUE(eventually([&] { return !is_alive(process); }));
    EXPECT_TRUE(last_lines(log_.string(), 5).empty());
    send_signal(process, SIGKILL);
}

// Goal: a log that has grown large is put aside; one that cannot be is told and kept.
TEST_F(ChildProcessTest, LargeLogIsPutAside) {
    EXPECT_TRUE(rotate_log(log_.string())); // there is none
    const auto grow = [&] {
        std::ofstream(log_) << "x";
        std::filesystem::resize_file(log_, 64 * 1024 * 1024 + 1);
    };
    const std::string aside = log_.string() + ".1";
    grow();
    EXPECT_TRUE(rotate_log(log_.string()));
    EXPECT_FALSE(std::filesystem::exists(log_));
    EXPECT_TRUE(std::filesystem::is_regular_file(aside));

    std::filesystem::remove(aside);
    std::filesystem::create_directory(aside);
    grow();
    const auto rotated = rotate_log(log_.string());
    ASSERT_FALSE(rotated);
    EXPECT_EQ(rotated.error().message(), "cannot make room in " + log_.string() + ": Is a directory");
    EXPECT_TRUE(std::filesystem::exists(log_));
}

// Goal: what cannot be run is reported at once, with the reason.
TEST_F(ChildProcessTest, MissingBinaryIsReported) {
    auto process = start_process(
        {.binary = "/no/such/binary", .arguments = {}, .environment = {}, .log_file = log_.string()}, note_nothing);
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().message(), "cannot run /no/such/binary: No such file or directory");
}

} // namespace
} // namespace flotilla::cli::child_process_test
