#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flotilla::cli {

/// Colours, where stdout is a terminal and NO_COLOR is not set; "" otherwise.
std::string_view bold();
std::string_view green();
std::string_view yellow();
std::string_view red();
std::string_view dim();
std::string_view plain();
bool coloured();
/// Instead of looking at stdout (tests).
void set_coloured(bool on);

/// The text filled with blanks up to that many columns (UTF-8 counts by character).
std::string padded(std::string_view text, std::size_t columns);

/// A cell with the colour it is shown in.
struct Cell {
    std::string text;
    std::string_view colour = {};
};

/// A row, and what stands below it, indented; empty: nothing.
struct Row {
    std::vector<Cell> cells;
    std::string note = {};
};

/// Rows with their columns aligned by the widest cell.
std::string aligned(const std::vector<Row>& rows);
/// Rows under a header, columns aligned by their widest cell.
std::string table(const std::vector<std::string>& header, const std::vector<Row>& rows);

} // namespace flotilla::cli
