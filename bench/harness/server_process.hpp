#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace flotilla::bench {

/// The core of the process that is measured, and the one of the load (the same on a machine with one core).
inline constexpr int kMeasuredCore = 0;
inline constexpr int kLoadCore = 1;

/// Pins a process (0: this one) with what it starts later. Throws std::runtime_error when it cannot.
void pin(pid_t process, int core);

/// Ctrl-C and SIGTERM end the benchmark at the next check: servers are stopped and folders removed on the way out.
void catch_interrupts();
/// Throws std::runtime_error once one of them came.
void check_interrupted();

/// A folder that is removed with everything in it.
class TemporaryFolder {
public:
    /// Below `parent`, which is created when missing.
    explicit TemporaryFolder(const std::filesystem::path& parent);
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// A TCP port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();

struct ServerCommand {
    std::vector<std::string> arguments; ///< the program first, found by PATH
    std::filesystem::path folder;       ///< where it runs and its output goes (<name>.log)
    std::string name;                   ///< for messages
    int core = kMeasuredCore;
    std::map<std::string, std::string> environment = {}; ///< added to ours
};

/// A process under test (or beside it): started pinned, stopped with this object, killed when the benchmark dies.
class ServerProcess {
public:
    /// Throws std::runtime_error when it cannot be started.
    explicit ServerProcess(ServerCommand command);
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;
    ~ServerProcess();

    /// Returns once the port accepts connections. Throws with the end of its log when it does not in time.
    void await_port(std::uint16_t port);
    /// Waits until the program has ended; its exit code. Throws when a signal ended it.
    int wait();
    /// SIGSTOP, SIGKILL and the like.
    void signal(int number) const;
    /// What it wrote so far.
    std::string output() const;
    /// User and system time of all its threads, ended ones included, in nanoseconds.
    std::chrono::nanoseconds cpu_time() const;
    /// Memory that it has in use and not on disk.
    std::size_t resident_bytes() const;
    /// Its share of the memory in use: pages that several processes have are divided among them (PSS).
    std::size_t proportional_bytes() const;
    const std::string& name() const { return command_.name; }
    /// An exception's text: what happened, and the end of the log.
    std::string complaint(const std::string& what) const;

private:
    bool has_ended();
    std::filesystem::path log_file() const { return command_.folder / (command_.name + ".log"); }

    ServerCommand command_;
    pid_t pid_ = -1;
    int status_ = 0;
    bool ended_ = false;
};

} // namespace flotilla::bench
