#include "cli/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace flotilla::cli {
namespace {

constexpr std::uintmax_t kLogBytesMax = 64 * 1024 * 1024;

/// A log that has grown large becomes <file>.1, once per start.
void rotate(const std::string& log_file) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(log_file, missing);
    if (!missing && size > kLogBytesMax) std::filesystem::rename(log_file, log_file + ".1");
}

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

/// Runs in the child; only async-signal-safe calls. Reports a failing exec through the pipe.
[[noreturn]] void become(const char* binary, char* const* arguments, char* const* environment, int log, int report) {
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL); // ours alone; what is ignored stays so over exec
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execve(binary, arguments, environment);
    const int why = errno;
    (void)!write(report, &why, sizeof why);
    _exit(127);
}

} // namespace

Result<ProcessIdentity> start_process(const Command& command) {
    rotate(command.log_file);
    const int log = open(command.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log < 0) return Error(Kind::unavailable, "cannot write " + command.log_file + ": " + std::strerror(errno));
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        close(log);
        return Error(Kind::unavailable, std::string("cannot make a pipe: ") + std::strerror(errno));
    }
    std::vector<std::string> arguments{command.binary};
    arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
    auto environment = merged_environment(command.environment);
    const auto argument_list = pointers(arguments);
    const auto environment_list = pointers(environment);
    const pid_t pid = fork();
    if (pid == 0) become(command.binary.c_str(), argument_list.data(), environment_list.data(), log, report[1]);
    close(log);
    close(report[1]);
    int why = 0;
    const auto told = pid > 0 ? read(report[0], &why, sizeof why) : 0;
    close(report[0]);
    if (pid < 0) return Error(Kind::unavailable, std::string("cannot start a process: ") + std::strerror(errno));
    if (told == sizeof why) {
        waitpid(pid, nullptr, 0);
        return Error(Kind::unavailable, "cannot run " + command.binary + ": " + std::strerror(why));
    }
    auto identity = identify(pid);
    // It ended before we could look: the caller sees a process that is not alive and finds its exit by reap_children().
    return identity.value_or(ProcessIdentity{pid, 0});
}

std::optional<ProcessIdentity> identify(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) return std::nullopt;
    // The second field, the command's name, is in parentheses and may contain blanks.
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream rest(line.substr(name_end + 2));
    std::string state, field;
    rest >> state;
    constexpr int kThreads = 20, kStarted = 22;
    for (int index = 4; index <= kThreads; ++index)
        rest >> field;
    // A first thread that has ended while others are still ending is no end yet: waitpid() does not tell the exit
    // before the last one is gone.
    const bool last_thread = std::strtoll(field.c_str(), nullptr, 10) <= 1;
    if ((state == "Z" && last_thread) || state == "X") return std::nullopt;
    for (int index = kThreads + 1; index <= kStarted; ++index)
        rest >> field;
    return ProcessIdentity{pid, std::strtoll(field.c_str(), nullptr, 10)};
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
