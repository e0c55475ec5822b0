#pragma once

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace flotilla {

/// A server that a test starts: a child process whose output is read until it says that it is ready; what it says later
/// must fit into the pipe. For tests only.
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
        fcntl(output[1], F_SETPIPE_SZ, kOutputBytesMax);
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
    static constexpr int kOutputBytesMax = 1 << 20;
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

/// Where a command is on PATH; empty: nowhere.
inline std::string program_on_path(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::istringstream folders(path ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');) {
        auto program = folder + "/" + name;
        if (access(program.c_str(), X_OK) == 0) return program;
    }
    return {};
}

/// A port of 127.0.0.1 that nobody listens on, below those that the kernel gives to connections. For servers that
/// cannot choose one themselves.
inline std::uint16_t free_port() {
    std::random_device random;
    std::uniform_int_distribution<int> ports(20000, 32000);
    while (true) {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<std::uint16_t>(ports(random)));
        const bool is_free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
        close(fd);
        if (is_free) return ntohs(address.sin_port);
    }
}

} // namespace flotilla
