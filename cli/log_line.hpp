#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flotilla::cli {

/// A line of a member's log.
struct LogLine {
    std::string member;
    std::string text;
    std::string time; ///< its "time" when it is a JSON line; "" otherwise
};

LogLine read_log_line(std::string member, std::string text);

/// For people: "02:30:50.179 error   order-service         message  key=value". What is no JSON line stays as it is,
/// behind its member. Colours where the terminal has them.
std::string pretty(const LogLine& line);

/// Lines of several members in the order of their times; lines without one stay behind the line before them.
std::vector<LogLine> merge(std::vector<std::vector<LogLine>> lines);

} // namespace flotilla::cli
