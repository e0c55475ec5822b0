// The program itself: flags, exit codes, signals.
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/http/client.hpp>

namespace flotilla::gateway::main_test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// flotilla-gateway as a process of its own, in a folder of its own.
class Process {
public:
    Process(const std::string& config, std::vector<std::string> flags) {
        std::string pattern = (fs::temp_directory_path() / "gateway_XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
        folder_ = pattern;
        std::ofstream(folder_ / "gateway.yaml") << config;
        std::vector<std::string> words{(fs::read_symlink("/proc/self/exe").parent_path() / "flotilla-gateway").string(),
                                       "--config",
                                       (folder_ / "gateway.yaml").string(),
                                       "--data",
                                       folder_.string(),
                                       "--log-format",
                                       "json",
                                       "--registry",
                                       "static:"};
        words.insert(words.end(), flags.begin(), flags.end());
        std::vector<char*> arguments;
        for (auto& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);

        std::array<int, 2> pipe{};
        if (pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
        const int failed = posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(pipe[1]);
        output_ = fdopen(pipe[0], "r");
        if (failed != 0) throw std::runtime_error("cannot start " + words[0]);
    }
    ~Process() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            wait();
        }
        std::fclose(output_);
        fs::remove_all(folder_);
    }
    void signal(int number) { ::kill(pid_, number); }
    /// Output up to the first line that has `text`, or all there is.
    std::string read_until(std::string_view text) {
        std::string all;
        std::array<char, 4096> line;
        while (std::fgets(line.data(), line.size(), output_) != nullptr) {
            all += line.data();
            if (std::string_view(line.data()).find(text) != std::string_view::npos) break;
        }
        return all;
    }
    int wait() {
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    const fs::path& folder() const { return folder_; }

private:
    fs::path folder_;
    pid_t pid_ = -1;
    std::FILE* output_ = nullptr;
};

constexpr const char* kConfig = "routes:\n  - match: {path: /users}\n    to: user-service\n";

std::string address_in(const std::string& ready) {
    const std::string key = "\"address\":\"";
    const auto at = ready.find(key) + key.size();
    return ready.substr(at, ready.find('"', at) - at);
}

// Goal: the program serves until SIGTERM and then ends with 0.
TEST(GatewayProgram, ServesUntilSigterm) {
    Process gateway(kConfig, {"--port", "0"});
    const auto ready = gateway.read_until("\"ready\"");
    ASSERT_THAT(ready, HasSubstr("\"ready\""));

    Loop loop;
    Context context(loop.world());
    http::Client client(loop.world());
    http::Request request;
    request.head.target = "/livez";
    auto response = loop.run_until_done(client.fetch(context, Address::parse(address_in(ready)).value(), request));
    ASSERT_TRUE(response.has_value()) << response.error().message();
    EXPECT_EQ(response->status(), 200);

    gateway.signal(SIGTERM);
    EXPECT_EQ(gateway.wait(), 0);
}

// Goal: several loops share a port that the first was given, and end together.
TEST(GatewayProgram, LoopsShareAFreePort) {
    Process gateway(kConfig, {"--port", "0", "--loops", "2"});
    const auto ready = gateway.read_until("\"ready\"");
    Loop loop;
    Context context(loop.world());
    const auto address = Address::parse(address_in(ready)).value();
    for (int i = 0; i < 20; ++i) { // the kernel spreads connections: both loops are met
        http::Client client(loop.world());
        http::Request request;
        request.head.target = "/readyz";
        auto response = loop.run_until_done(client.fetch(context, address, request));
        ASSERT_TRUE(response.has_value()) << response.error().message();
        EXPECT_THAT(response->body, HasSubstr("\"instance\":\"gateway-" + std::to_string(address.port) + "\""));
    }
    gateway.signal(SIGTERM);
    EXPECT_THAT(gateway.read_until("\"stopped\""), HasSubstr("\"stopping\""));
    EXPECT_EQ(gateway.wait(), 0);
}

// Goal: a wrong configuration ends with 2 and says where; the same check runs without serving.
TEST(GatewayProgram, WrongConfigurationEndsWithTwo) {
    Process wrong("routes:\n  - match: {path: /users}\n    too: user-service\n", {"--port", "0"});
    const auto output = wrong.read_until("never");
    EXPECT_THAT(output, HasSubstr("gateway.yaml:3: unknown key 'too' in a route; did you mean 'to'?"));
    EXPECT_EQ(wrong.wait(), 2);

    Process flag(kConfig, {"--prot", "0"});
    EXPECT_THAT(flag.read_until("never"), HasSubstr("unknown argument '--prot'; did you mean '--port'?"));
    EXPECT_EQ(flag.wait(), 2);

    Process target(kConfig, {"--target", "no-service.retry.retries=1"});
    EXPECT_THAT(target.read_until("never"),
                HasSubstr("--target no-service.retry.retries=1: there is no service 'no-service'"));
    EXPECT_EQ(target.wait(), 2);

    Process check(kConfig, {"--check"});
    EXPECT_THAT(check.read_until("never"), HasSubstr("1 routes, no mistakes"));
    EXPECT_EQ(check.wait(), 0);
}

} // namespace
} // namespace flotilla::gateway::main_test
