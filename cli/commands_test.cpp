#include "cli/commands.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/stream.hpp>

#include "cli/fleet_state.hpp"

namespace flotilla::cli {
namespace {

/// Commands as people give them, on a folder of its own; what they print is kept.
class CommandsTest : public testing::Test {
protected:
    CommandsTest() : folder_((std::filesystem::temp_directory_path() / "flotilla-cli-XXXXXX").string()) {
        if (::mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        options_.data = folder_ + "/data";
        options_.file = folder_ + "/flotilla.yaml";
        options_.binary_folder = folder_;
    }
    ~CommandsTest() override { std::filesystem::remove_all(folder_); }

    template <class Command>
    int run(Command command) {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        const int code = command();
        out_ = testing::internal::GetCapturedStdout();
        error_ = testing::internal::GetCapturedStderr();
        return code;
    }
    void write(const std::string& path, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path) << text;
    }

    std::string folder_;
    FleetOptions options_;
    std::string out_, error_;
};

// Goal: where no fleet runs, status says how to start one, and down has nothing to do.
TEST_F(CommandsTest, FolderWithoutAFleetIsNoError) {
    EXPECT_EQ(run([&] { return status(options_, false); }), 1);
    EXPECT_EQ(out_, "No fleet runs on " + options_.data + ". Start one with ./flotilla up\n");
    EXPECT_EQ(run([&] { return status(options_, true); }), 1);
    EXPECT_EQ(out_, R"({"fleet":"","data":")" + options_.data + R"(","supervised":false,"members":[]})" + "\n");
    EXPECT_EQ(run([&] { return down(options_); }), 0);
    EXPECT_EQ(out_, "No fleet runs on " + options_.data + ".\n");
    EXPECT_EQ(run([&] { return logs({.fleet = options_}); }), 1);
    EXPECT_TRUE(error_.contains("no fleet has run there")) << error_;
}

// Goal: a damaged state file is named, with what to do about it.
TEST_F(CommandsTest, DamagedStateIsExplained) {
    write(data_folder(options_.data).state_file(), "{\"fleet\":");
    for (auto command : {+[](const FleetOptions& options) { return status(options, false); },
                         +[](const FleetOptions& options) { return down(options); },
                         +[](const FleetOptions& options) { return up({.fleet = options}); }}) {
        EXPECT_EQ(run([&] { return command(options_); }), 1);
        EXPECT_TRUE(error_.starts_with(options_.data + "/fleet.json is damaged (")) << error_;
        EXPECT_TRUE(error_.contains("remove it and start again")) << error_;
    }
}

// Goal: a port that is taken stops `up` before anything runs, in one line that names who wants it and who has it.
TEST_F(CommandsTest, TakenPortIsNamedBeforeAnythingStarts) {
    Loop loop;
    auto listener = loop.world().listen(Address::tcp("127.0.0.1", 0));
    ASSERT_TRUE(listener);
    const auto port = std::to_string((*listener)->local().port);
    write(options_.file, "hub: {http: " + port + ", bus: 1, smtp: 2}\n");
    write(folder_ + "/flotilla-hub", "#!/bin/sh\nexit 3\n");
    std::filesystem::permissions(folder_ + "/flotilla-hub", std::filesystem::perms::owner_all);
    EXPECT_EQ(run([&] { return up({.fleet = options_}); }), 1);
    EXPECT_EQ(error_.substr(0, error_.find('\n')),
              "hub: its HTTP port " + port + " is taken by cli_test (pid " + std::to_string(getpid()) + ")");
    EXPECT_FALSE(std::filesystem::exists(options_.data + "/logs/hub.log"));
    EXPECT_FALSE(std::filesystem::exists(data_folder(options_.data).state_file()));
}

// Goal: the log of a misspelt service is not found, but the nearest one is.
TEST_F(CommandsTest, MisspeltLogNamesTheNearest) {
    write(options_.data + "/logs/user-service.log", "one\ntwo\n");
    EXPECT_EQ(run([&] { return logs({.fleet = options_, .service = "user-servce"}); }), 1);
    EXPECT_TRUE(error_.contains("did you mean user-service?")) << error_;
    EXPECT_EQ(run([&] { return logs({.fleet = options_, .service = "user-service", .lines = 1}); }), 0);
    EXPECT_EQ(out_, "user-service  two\n");
}

} // namespace
} // namespace flotilla::cli
