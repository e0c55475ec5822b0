#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/result.hpp>

namespace flotilla::cli {

/// What to run.
struct Command {
    std::string binary; ///< absolute path
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment; ///< added to ours
    std::string log_file;                           ///< stdout and stderr are appended here
};

/// A process by number and start time: a number alone may have been given to another process meanwhile.
struct ProcessIdentity {
    std::int64_t pid = 0;
    std::int64_t start_ticks = 0; ///< field 22 of /proc/<pid>/stat
    bool operator==(const ProcessIdentity&) const = default;
};

/// A log of more than 64 MiB becomes <file>.1. Errors: unavailable; whoever writes it then goes on in the same file.
Result<void> rotate_log(const std::string& log_file);

/// Notes a process that is there but does not run its program yet.
using RecordProcess = std::function<Result<void>(const ProcessIdentity&)>;

/// Starts the command in a session of its own, so that it outlives us and our terminal. Its program begins only after
/// `record` has succeeded: when that fails, or when we are killed before, nothing is left that nobody knows.
/// Errors: unavailable with the reason (no such file, not executable), or what `record` said, before anything runs.
Result<ProcessIdentity> start_process(const Command& command, const RecordProcess& record);

/// True while that very process runs (a zombie does not).
bool is_alive(const ProcessIdentity& process);

/// True while that very process is stopped (SIGSTOP) and does nothing.
bool is_stopped(const ProcessIdentity& process);

/// Sends a signal to that very process; false when it has gone.
bool send_signal(const ProcessIdentity& process, int signal);

/// False when that process runs but belongs to somebody else, so that we cannot send it anything.
bool may_signal(const ProcessIdentity& process);

/// Collects ended children, so that they do not stay as zombies: pid to a text like "exit code 1", "killed by signal
/// 9".
std::map<pid_t, std::string> reap_children();

/// The program and arguments a process was started with; empty when it has gone.
std::vector<std::string> command_line(std::int64_t pid);

/// The identity of a running process, or nullopt.
std::optional<ProcessIdentity> identify(pid_t pid);

/// The last lines of a file, for error messages.
std::vector<std::string> last_lines(const std::string& file, std::size_t count);

} // namespace flotilla::cli
