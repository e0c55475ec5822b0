#include "cli/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace flotilla::cli {
namespace {

std::string_view when_coloured(std::string_view code) {
    const bool coloured = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
    return coloured ? code : std::string_view();
}

std::string padded(const std::string& text, std::size_t width) {
    return text + std::string(width - std::min(width, text.size()), ' ');
}

} // namespace

std::string_view bold() { return when_coloured("\x1b[1m"); }
std::string_view green() { return when_coloured("\x1b[32m"); }
std::string_view yellow() { return when_coloured("\x1b[33m"); }
std::string_view red() { return when_coloured("\x1b[31m"); }
std::string_view dim() { return when_coloured("\x1b[2m"); }
std::string_view plain() { return when_coloured("\x1b[0m"); }

void print_table(const std::vector<std::string>& header, const std::vector<std::vector<Cell>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& title : header)
        widths.push_back(title.size());
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].text.size());
    }
    std::string out = "  ";
    for (std::size_t i = 0; i < header.size(); ++i)
        out.append(dim()).append(padded(header[i], widths[i])).append(plain()).append("  ");
    out += '\n';
    for (const auto& row : rows) {
        out += "  ";
        for (std::size_t i = 0; i < row.size(); ++i) {
            out.append(row[i].colour)
                .append(padded(row[i].text, i + 1 < row.size() ? widths[i] : 0))
                .append(row[i].colour.empty() ? "" : plain());
            if (i + 1 < row.size()) out += "  ";
        }
        out += '\n';
    }
    std::fwrite(out.data(), 1, out.size(), stdout);
}

} // namespace flotilla::cli
