#include "bench/harness/server_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "bench/harness/socket.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kStartTimeout = 15s;
constexpr auto kStopTimeout = 10s;
constexpr auto kPollInterval = 10ms;
constexpr std::size_t kLogTailBytes = 2000;

volatile std::sig_atomic_t interrupted = 0;

void note_interrupt(int) { interrupted = 1; }

/// The child between fork and exec.
[[noreturn]] void become(const ServerCommand& command, const std::string& log_file, pid_t parent) {
    std::vector<char*> arguments;
    for (const auto& argument : command.arguments)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    for (const auto& [name, value] : command.environment)
        ::setenv(name.c_str(), value.c_str(), 1);
    ::setpgid(0, 0); // Ctrl-C is the benchmark's: it stops the servers itself
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (log >= 0 && ::getppid() == parent && ::chdir(command.folder.c_str()) == 0) {
        ::dup2(log, STDOUT_FILENO);
        ::dup2(log, STDERR_FILENO);
        pin(0, command.core);
        ::execvp(arguments.front(), arguments.data());
    }
    std::fprintf(stderr, "%s: %s\n", arguments.front(), std::strerror(errno));
    ::_exit(127);
}

} // namespace

void pin(pid_t process, int core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(::sysconf(_SC_NPROCESSORS_ONLN) > core ? core : 0, &cores);
    if (::sched_setaffinity(process, sizeof cores, &cores) != 0) throw std::runtime_error("cannot pin to a core");
}

void catch_interrupts() {
    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    std::signal(SIGPIPE, SIG_IGN);
}

void check_interrupted() {
    if (interrupted) throw std::runtime_error("interrupted");
}

TemporaryFolder::TemporaryFolder(const std::filesystem::path& parent) {
    std::filesystem::create_directories(parent);
    std::string pattern = (std::filesystem::absolute(parent) / "bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a folder in " + parent.string());
    path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    if (error) std::fprintf(stderr, "%s: %s\n", path_.c_str(), error.message().c_str());
}

std::uint16_t free_port() {
    const Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(socket.descriptor(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("no free port");
    }
    return ntohs(address.sin_port);
}

ServerProcess::ServerProcess(ServerCommand command) : command_(std::move(command)) {
    std::filesystem::create_directories(command_.folder);
    const std::string log = log_file().string();
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) become(command_, log, parent);
}

ServerProcess::~ServerProcess() {
    if (has_ended()) return;
    ::kill(pid_, SIGTERM);
    const auto limit = std::chrono::steady_clock::now() + kStopTimeout;
    while (!has_ended()) {
        if (std::chrono::steady_clock::now() > limit) {
            std::fprintf(stderr, "%s does not stop: killed\n", command_.name.c_str());
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, &status_, 0);
            return;
        }
        std::this_thread::sleep_for(kPollInterval);
    }
}

bool ServerProcess::has_ended() {
    if (!ended_) ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    return ended_;
}

void ServerProcess::await_port(std::uint16_t port) {
    const auto limit = std::chrono::steady_clock::now() + kStartTimeout;
    while (!Socket::connect(port)) {
        check_interrupted();
        if (has_ended()) throw std::runtime_error(complaint("ended at once"));
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error(complaint("does not listen"));
        std::this_thread::sleep_for(kPollInterval);
    }
}

int ServerProcess::wait() {
    while (!has_ended()) {
        check_interrupted();
        std::this_thread::sleep_for(kPollInterval);
    }
    if (!WIFEXITED(status_)) throw std::runtime_error(complaint("was killed"));
    return WEXITSTATUS(status_);
}

void ServerProcess::signal(int number) const {
    if (::kill(pid_, number) != 0) throw std::runtime_error(complaint("cannot be sent a signal"));
}

std::size_t ServerProcess::resident_bytes() const {
    std::size_t size = 0, resident = 0;
    std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
    if (!(file >> size >> resident)) throw std::runtime_error(complaint("has no memory"));
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t ServerProcess::proportional_bytes() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/smaps_rollup");
    for (std::string word; file >> word;) {
        std::size_t kilobytes = 0;
        if (word == "Pss:" && file >> kilobytes) return kilobytes * 1024;
    }
    throw std::runtime_error(complaint("has no memory"));
}

std::string ServerProcess::output() const {
    std::ostringstream text;
    text << std::ifstream(log_file()).rdbuf();
    return text.str();
}

std::chrono::nanoseconds ServerProcess::cpu_time() const {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
        throw std::runtime_error(complaint("has no CPU time"));
    }
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::string ServerProcess::complaint(const std::string& what) const {
    std::string text = output();
    if (text.size() > kLogTailBytes) text.erase(0, text.size() - kLogTailBytes);
    return command_.name + " " + what + (text.empty() ? "" : ":\n" + text);
}

} // namespace flotilla::bench
