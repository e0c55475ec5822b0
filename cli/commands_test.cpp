#include "cli/commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/stream.hpp>

#include <flotilla/node/fault_file.hpp>

#include "cli/chaos_order.hpp"
#include "cli/command_line.hpp"
#include "cli/fleet_state.hpp"

namespace flotilla::cli::commands_test {
namespace {

using testing::HasSubstr;

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

/// The program, from its arguments on.
class CommandLineTest : public CommandsTest {
protected:
    int flotilla(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "flotilla");
        std::vector<const char*> argv;
        for (const auto& argument : arguments)
            argv.push_back(argument.c_str());
        return run([&] { return run_command_line(static_cast<int>(argv.size()), argv.data(), options_); });
    }
    /// As a fleet leaves it whose processes were all killed.
    void leave_state(int port_offset) {
        create_folders(data_folder(options_.data));
        const FleetState state{.fleet = "shop", .file = options_.file, .port_offset = port_offset};
        ASSERT_TRUE(write_state(data_folder(options_.data), state));
    }
};

// Goal: every command takes the flags that choose a fleet.
TEST_F(CommandLineTest, EveryCommandTakesTheFlagsThatChooseAFleet) {
    const std::vector<std::vector<std::string>> commands{{"down"}, {"status"},           {"status", "--json"}, {"logs"},
                                                         {"up"},   {"backup", "/x/y/z"}, {"restore", "/x/y/z"}};
    for (auto command : commands) {
        const auto& data = options_.data;
        command.insert(command.end(), {"--data", data, "--file", folder_ + "/none.yaml", "--port-offset", "5"});
        EXPECT_NE(flotilla(command), 2) << command.front() << ": " << error_;
    }
}

// Goal: `down` with the flags of `up` stops the fleet that it started; with others it stops none, and says why.
TEST_F(CommandLineTest, DownStopsTheFleetThatTheFlagsDescribe) {
    leave_state(5);
    const std::vector<std::vector<std::string>> contradictions{{"--port-offset", "6"}, {"--file", "x.yaml"}};
    for (const auto& contradiction : contradictions) {
        for (const char* verb : {"down", "status", "logs", "backup"}) {
            std::vector<std::string> command{verb};
            command.insert(command.end(), contradiction.begin(), contradiction.end());
            if (command[0] == "backup") command.push_back(folder_ + "/backup");
            EXPECT_EQ(flotilla(command), 1) << verb;
            EXPECT_THAT(error_, HasSubstr("The fleet on " + options_.data + " was started ")) << verb;
            EXPECT_THAT(error_, HasSubstr("leave that flag out, or name the folder of another fleet with --data."));
        }
    }
    EXPECT_THAT(error_, HasSubstr("was started from " + options_.file + ", not from "));
    EXPECT_EQ(flotilla({"down", "--port-offset", "6"}), 1);
    EXPECT_THAT(error_, HasSubstr("was started with --port-offset 5, not 6;"));
    EXPECT_EQ(flotilla({"down", "--port-offset", "5"}), 0) << error_;
    EXPECT_EQ(error_, "");
    EXPECT_THAT(out_, HasSubstr("The fleet on " + options_.data + " is down."));
    EXPECT_FALSE(std::filesystem::exists(data_folder(options_.data).state_file()));
}

// Goal: `up` that is suggested starts the fleet which was asked about, with its offset and file.
TEST_F(CommandLineTest, SuggestedUpIsThatOfTheSameFleet) {
    EXPECT_EQ(flotilla({"status", "--port-offset", "7", "--file", "/x/my fleet.yaml"}), 1);
    EXPECT_THAT(out_, HasSubstr("Start one with ./flotilla up --file '/x/my fleet.yaml' --port-offset 7\n"));
    leave_state(5);
    flotilla({"status"});
    EXPECT_THAT(out_, HasSubstr("./flotilla up --port-offset 5"));
}

// Goal: what no command knows is refused in the words of the script ./flotilla, with what was probably meant.
TEST_F(CommandLineTest, UnknownArgumentsAndCommandsNameTheNearest) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
        {{"down", "--port-ofset", "5"}, "down: unknown argument '--port-ofset'; did you mean '--port-offset'?"},
        {{"status", "--jsn"}, "status: unknown argument '--jsn'; did you mean '--json'?"},
        {{"logs", "--folow=3"}, "logs: unknown argument '--folow'; did you mean '--follow'?"},
        {{"backup", "--dta", "x", "y"}, "backup: unknown argument '--dta'; did you mean '--data'?"},
        {{"down", "now"}, "down: unknown argument 'now'"},
        {{"down", "up"}, "down: unknown argument 'up'"},
        {{"stauts"}, "unknown command 'stauts'; did you mean 'status'?"},
        {{"biuld"}, "unknown command 'biuld'; did you mean 'build'?"},
        {{"--data", "x", "down"}, "unknown argument '--data'"},
    };
    for (const auto& [arguments, message] : cases) {
        EXPECT_EQ(flotilla(arguments), 2) << message;
        EXPECT_EQ(error_, "flotilla: " + message + " (see ./flotilla help)\n");
        EXPECT_EQ(out_, "");
    }
}

/// What an order of words is understood as, or why it is not.
std::string understood(const std::vector<std::string>& words) {
    const auto order =
        read_chaos_order(words, {"hub", "user-service", "order-service.1", "order-service.2", "gateway"});
    if (!order) return order.error().message();
    std::string text = std::to_string(order->amount) + ":";
    for (const auto& member : order->members)
        text += " " + member;
    for (const auto& member : order->from)
        text += " /" + member;
    return text;
}

// Goal: an instance is named by itself or by its service; what is not understood is refused with the nearest name.
TEST(ChaosOrder, WordsAreUnderstoodOrRefused) {
    EXPECT_EQ(understood({"kill", "order-service.2"}), "0: order-service.2");
    EXPECT_EQ(understood({"stop", "gateway"}), "0: gateway");
    EXPECT_EQ(understood({"slow", "user-service", "200"}), "200: user-service");
    EXPECT_EQ(understood({"cut", "order-service", "user-service"}), "0: order-service.1 order-service.2 /user-service");
    EXPECT_EQ(understood({"heal", "order-service"}), "0: order-service.1 order-service.2");
    EXPECT_EQ(understood({"heal"}), "0: hub user-service order-service.1 order-service.2 gateway");

    EXPECT_EQ(understood({"kil", "hub"}), "unknown action 'kil'; did you mean 'kill'?");
    EXPECT_EQ(understood({"explode"}), "unknown action 'explode'; there are kill, stop, slow, fail, cut and heal");
    EXPECT_EQ(understood({"slow", "user-service"}), "write it as slow INSTANCE MS");
    EXPECT_EQ(understood({"kill", "order-service"}),
              "order-service has 2 instances; say which: order-service.1 or order-service.2");
    EXPECT_EQ(understood({"kill", "order-service.3"}),
              "the fleet has no 'order-service.3'; did you mean 'order-service.1'?");
    EXPECT_EQ(understood({"fail", "user-service", "101"}), "expected percent of requests, 1..100, found '101'");
    EXPECT_EQ(understood({"slow", "user-service", "2s"}), "expected milliseconds, 1..600000, found '2s'");
    EXPECT_EQ(understood({"slow", "gateway", "5"}), "slow works inside services, and gateway is none");
    EXPECT_EQ(understood({"cut", "gateway", "user-service"}), "0: gateway /user-service");
    for (const std::string to : {"hub", "gateway"}) {
        EXPECT_EQ(understood({"cut", "user-service", to}),
                  "cut works from services and the gateway to services, and " + to + " is none");
    }
}

// Goal: faults are put into instances of a fleet that was started for them, are shown, and end.
TEST_F(CommandsTest, ChaosPutsFaultsOnlyWhereTheyAreTaken) {
    const auto give = [&](std::vector<std::string> words) {
        return run([&] { return chaos({.fleet = options_, .words = words}); });
    };
    EXPECT_EQ(give({"kill", "hub"}), 1);
    EXPECT_EQ(error_, "No fleet runs on " + options_.data + ". Start one with ./flotilla up --chaos\n");
    const DataFolder folder{options_.data};
    create_folders(folder);
    FleetState state{
        .fleet = "test",
        .file = options_.file,
        .members = {{.name = "a.1", .port = 3001}, {.name = "a.2", .port = 3101}, {.name = "b", .port = 7}}};
    ASSERT_TRUE(write_state(folder, state));
    EXPECT_EQ(give({"slow", "a.1", "200"}), 1);
    EXPECT_EQ(error_, "chaos: the services of the fleet on " + options_.data +
                          " take no faults (kill and stop need none): start it with `./flotilla up --chaos`, after "
                          "`./flotilla down`\n");
    EXPECT_EQ(give({"kill", "a.1"}), 1);
    EXPECT_EQ(error_, "chaos: a.1 does not run\n");
    state.chaos = true;
    ASSERT_TRUE(write_state(folder, state));
    EXPECT_EQ(give({"slow", "a.1", "200"}), 0) << error_;
    EXPECT_EQ(out_, "a.1: answers 200 ms later; `./flotilla chaos heal a.1` ends it.\n");
    EXPECT_EQ(give({"cut", "a.1", "b"}), 0) << error_;
    EXPECT_EQ(out_, "a.1: answers 200 ms later, does not reach b; `./flotilla chaos heal a.1` ends it.\n");
    const auto plan = read_fault_plan(folder.fault_file("a.1"));
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(plan->cut_off, (std::vector<std::string>{"127.0.0.1:7", "unix:" + folder.socket_file("b")}));
    EXPECT_EQ(give({}), 0);
    EXPECT_THAT(out_, HasSubstr("a.1  answers 200 ms later, does not reach b\n"));
    EXPECT_EQ(give({"heal"}), 0);
    EXPECT_EQ(out_, "a.1 is as it was.\n");
    EXPECT_EQ(give({"heal"}), 0);
    EXPECT_EQ(out_, "There is nothing to heal.\n");
    EXPECT_EQ(give({"slow", "a.1"}), 2);
    EXPECT_EQ(error_, "chaos: write it as slow INSTANCE MS\n");
}

} // namespace
} // namespace flotilla::cli::commands_test
