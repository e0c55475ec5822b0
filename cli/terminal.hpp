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

/// A cell with the colour it is shown in.
struct Cell {
    std::string text;
    std::string_view colour = {};
};

/// Rows under a header, columns aligned by their widest cell.
void print_table(const std::vector<std::string>& header, const std::vector<std::vector<Cell>>& rows);

} // namespace flotilla::cli
