#include "cli/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace flotilla::cli {
namespace {

constexpr std::uintmax_t kLogBytesMax = 64 * 1024 * 1024;

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (auto& text : texts)
        list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
    std::vector<std::string> environment;
    for (char** variable = environ; *variable; ++variable) {
        const std::string text = *variable;
        if (!added.contains(text.substr(0, text.find('=')))) environment.push_back(text);
    }
    for (const auto& [name, value] : added)
        environment.push_back(name + "=" + value);
    return environment;
}

/// A pipe that is not inherited over exec and closed at the end.
class Pipe {
public:
    Pipe() = default;
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_reader();
        close_writer();
    }
    bool open() { return pipe2(ends_.data(), O_CLOEXEC) == 0; }
    int reader() const { return ends_[0]; }
    int writer() const { return ends_[1]; }
    void close_reader() { close_end(ends_[0]); }
    void close_writer() { close_end(ends_[1]); }

private:
    static void close_end(int& end) {
        if (end >= 0) close(std::exchange(end, -1));
    }
    std::array<int, 2> ends_{-1, -1};
};

/// Between the child and us.
struct Lines {
    Pipe recorded; ///< one byte once it may go on; ended without: it must not
    Pipe failed;   ///< why exec failed; ended without: it has not
};

bool was_recorded(Pipe& recorded) {
    recorded.close_writer(); // ours would keep it from ending
    char byte = 0;
    ssize_t size = 0;
    do
        size = read(recorded.reader(), &byte, 1);
    while (size < 0 && errno == EINTR);
    return size == 1;
}

/// Runs in the child; only async-signal-safe calls. Waits until it is recorded; reports a failing exec.
[[noreturn]] void become(const char* binary, char* const* arguments, char* const* environment, int log, Lines& lines) {
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL); // ours alone; what is ignored stays so over exec
    if (!was_recorded(lines.recorded)) _exit(127);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execve(binary, arguments, environment);
    const int why = errno;
    (void)!write(lines.failed.writer(), &why, sizeof why);
    _exit(127);
}

} // namespace

Result<void> rotate_log(const std::string& log_file) {
    std::error_code failed;
    const auto size = std::filesystem::file_size(log_file, failed);
    if (failed == std::errc::no_such_file_or_directory) return {};
    if (!failed && size > kLogBytesMax) std::filesystem::rename(log_file, log_file + ".1", failed);
    if (!failed) return {};
    return Error(Kind::unavailable, "cannot make room in " + log_file + ": " + failed.message());
}

Result<ProcessIdentity> start_process(const Command& command, const RecordProcess& record) {
    const int log = open(command.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log < 0) return Error(Kind::unavailable, "cannot write " + command.log_file + ": " + std::strerror(errno));
    Lines lines;
    if (!lines.recorded.open() || !lines.failed.open()) {
        const int why = errno;
        close(log);
        return Error(Kind::unavailable, std::string("cannot make a pipe: ") + std::strerror(why));
    }
    std::vector<std::string> arguments{command.binary};
    arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
    auto environment = merged_environment(command.environment);
    const auto argument_list = pointers(arguments);
    const auto environment_list = pointers(environment);
    const pid_t pid = fork();
    const int why_no_child = errno;
    if (pid == 0) become(command.binary.c_str(), argument_list.data(), environment_list.data(), log, lines);
    close(log);
    if (pid < 0) return Error(Kind::unavailable, std::string("cannot start a process: ") + std::strerror(why_no_child));
    lines.failed.close_writer();
    // Killed before we could look: the caller sees a process that is not alive and finds its exit by reap_children().
    const auto identity = identify(pid).value_or(ProcessIdentity{pid, 0});
    auto recorded = record(identity);
    // Our own reading end is open still, so this cannot raise SIGPIPE, and one byte always fits.
    if (recorded && write(lines.recorded.writer(), "r", 1) != 1)
        recorded = Error(Kind::unavailable, std::string("cannot write to a pipe: ") + std::strerror(errno));
    lines.recorded.close_writer();
    if (!recorded) {
        waitpid(pid, nullptr, 0);
        return std::move(recorded.error()).with_context("not started");
    }
    int why = 0;
    if (read(lines.failed.reader(), &why, sizeof why) == sizeof why) {
        waitpid(pid, nullptr, 0);
        return Error(Kind::unavailable, "cannot run " + command.binary + ": " + std::strerror(why));
    }
    return identity;
}

namespace {

/// What /proc says of a process.
struct ProcessStatus {
    std::string state; ///< "R", "S", "T" (stopped), "Z", ...
    std::int64_t threads = 0, start_ticks = 0;
};

std::optional<ProcessStatus> status_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) return std::nullopt;
    // The second field, the command's name, is in parentheses and may contain blanks.
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream rest(line.substr(name_end + 2));
    ProcessStatus status;
    std::string field;
    rest >> status.state;
    constexpr int kThreads = 20, kStarted = 22;
    for (int index = 4; index <= kStarted; ++index) {
        rest >> field;
        if (index == kThreads) status.threads = std::strtoll(field.c_str(), nullptr, 10);
    }
    status.start_ticks = std::strtoll(field.c_str(), nullptr, 10);
    return status;
}

} // namespace

std::optional<ProcessIdentity> identify(pid_t pid) {
    const auto status = status_of(pid);
    if (!status || status->state == "X") return std::nullopt;
    // A first thread that has ended while others are still ending is no end yet: waitpid() does not tell the exit
    // before the last one is gone.
    if (status->state == "Z" && status->threads <= 1) return std::nullopt;
    return ProcessIdentity{pid, status->start_ticks};
}

bool is_stopped(const ProcessIdentity& process) {
    if (process.pid <= 0) return false;
    const auto status = status_of(static_cast<pid_t>(process.pid));
    return status && status->state == "T" && status->start_ticks == process.start_ticks;
}

std::vector<std::string> command_line(std::int64_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
    std::vector<std::string> line;
    for (std::string argument; std::getline(file, argument, '\0');)
        line.push_back(argument);
    return line;
}

bool is_alive(const ProcessIdentity& process) {
    if (process.pid <= 0) return false;
    return identify(static_cast<pid_t>(process.pid)) == process;
}

bool send_signal(const ProcessIdentity& process, int signal) {
    return is_alive(process) && kill(static_cast<pid_t>(process.pid), signal) == 0;
}

bool may_signal(const ProcessIdentity& process) {
    return !is_alive(process) || kill(static_cast<pid_t>(process.pid), 0) == 0 || errno != EPERM;
}

std::map<pid_t, std::string> reap_children() {
    std::map<pid_t, std::string> ended;
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        ended[pid] = WIFSIGNALED(status) ? std::string("killed by signal ") + std::to_string(WTERMSIG(status))
                                         : "exit code " + std::to_string(WEXITSTATUS(status));
    }
    return ended;
}

std::vector<std::string> last_lines(const std::string& file, std::size_t count) {
    std::ifstream input(file);
    std::deque<std::string> lines;
    for (std::string line; std::getline(input, line);) {
        lines.push_back(line);
        if (lines.size() > count) lines.pop_front();
    }
    return {lines.begin(), lines.end()};
}

} // namespace flotilla::cli
