#pragma once

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace flotilla::bus_testing {

/// A server that a test starts: a child process whose output is read until it says that it is ready. For tests only.
class ServerProcess {
public:
    /// Throws when the process ends without having said `ready_text`.
    ServerProcess(std::vector<std::string> command, std::string ready_text)
        : command_(std::move(command)), ready_text_(std::move(ready_text)) {
        start();
    }
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;
    ~ServerProcess() { stop(SIGKILL); }

    void start() {
        int output[2];
        if (pipe2(output, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
        // The server ends with the test, however the test ends.
        std::vector<std::string> words{"setpriv", "--pdeathsig", "KILL"};
        words.insert(words.end(), command_.begin(), command_.end());
        std::vector<char*> arguments;
        for (auto& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        const int failed = posix_spawnp(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        close(output[1]);
        output_ = output[0];
        if (failed != 0) throw std::runtime_error("cannot start " + command_[0]);
        wait_until_ready();
    }
    void stop(int signal) {
        if (process_ > 0) {
            kill(process_, signal);
            waitpid(process_, nullptr, 0);
        }
        if (output_ >= 0) close(output_);
        process_ = -1;
        output_ = -1;
    }

private:
    void wait_until_ready() {
        std::string said;
        char buffer[4096];
        while (said.find(ready_text_) == std::string::npos) {
            const auto bytes = read(output_, buffer, sizeof(buffer));
            if (bytes <= 0) throw std::runtime_error(command_[0] + " did not start: " + said);
            said.append(buffer, static_cast<std::size_t>(bytes));
        }
    }

    std::vector<std::string> command_;
    std::string ready_text_;
    pid_t process_ = -1;
    int output_ = -1;
};

} // namespace flotilla::bus_testing
