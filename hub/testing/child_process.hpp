#pragma once

#include <string>
#include <vector>

namespace flotilla::hub {

/// A program run by a test, with its standard output to read. Killed at the end if it still runs.
class ChildProcess {
public:
    /// Throws when it cannot be started. Standard error goes to the test's.
    explicit ChildProcess(const std::vector<std::string>& command);
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    ~ChildProcess();

    /// The next line of output containing `text`, waiting up to 20 s. Throws when the program ends before.
    std::string wait_for_line(const std::string& text);
    /// Everything it prints until it closes its output.
    std::string read_all();
    void signal(int number);
    /// Waits for the end: the exit status, or minus the signal that ended it.
    int wait();

private:
    bool read_more();
    int process_ = -1;
    int output_ = -1;
    std::string buffer_;
};

/// The folder of built programs: FLOTILLA_BIN, or where the test binary lies.
std::string program(const std::string& name);

} // namespace flotilla::hub
