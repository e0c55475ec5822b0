#include "hub/testing/child_process.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

// The implementation of the class, in a file that only the test binary gets.

namespace flotilla::hub {

ChildProcess::ChildProcess(const std::vector<std::string>& command) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_t process = -1;
    const int failure = ::posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
    if (failure != 0) throw std::runtime_error(command[0] + ": " + std::strerror(failure));
    process_ = process;
}

ChildProcess::~ChildProcess() {
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
    }
    ::close(output_);
}

bool ChildProcess::read_more() {
    pollfd wanted{.fd = output_, .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, 20'000) <= 0) throw std::runtime_error("no output for 20 s; so far: " + buffer_);
    char bytes[4096];
    const ssize_t count = ::read(output_, bytes, sizeof bytes);
    if (count > 0) buffer_.append(bytes, static_cast<std::size_t>(count));
    return count > 0;
}

std::string ChildProcess::wait_for_line(const std::string& text) {
    for (;;) {
        for (std::size_t end; (end = buffer_.find('\n')) != std::string::npos;) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            if (line.find(text) != std::string::npos) return line;
        }
        if (!read_more()) throw std::runtime_error("the program ended before it said: " + text);
    }
}

std::string ChildProcess::read_all() {
    while (read_more()) {
    }
    return buffer_;
}

void ChildProcess::signal(int number) { ::kill(process_, number); }

int ChildProcess::wait() {
    int status = 0;
    if (::waitpid(process_, &status, 0) < 0) throw std::runtime_error("waitpid");
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string program(const std::string& name) {
    if (const char* folder = std::getenv("FLOTILLA_BIN")) return std::string(folder) + "/" + name;
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

} // namespace flotilla::hub
