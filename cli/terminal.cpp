#include "cli/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace flotilla::cli {
namespace {

std::optional<bool> forced;

std::string_view when_coloured(std::string_view code) { return coloured() ? code : std::string_view(); }

std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// One line of a table; nothing trails behind its last text.
void append_line(std::string& out, const std::vector<Cell>& cells, const std::vector<std::size_t>& widths) {
    std::size_t last = cells.size();
    while (last > 0 && cells[last - 1].text.empty())
        --last;
    for (std::size_t i = 0; i < last; ++i) {
        const auto& cell = cells[i];
        const auto text = i + 1 < last ? padded(cell.text, widths[i]) : cell.text;
        out.append("  ").append(cell.colour).append(text).append(cell.colour.empty() ? "" : plain());
    }
    out += '\n';
}

} // namespace

bool coloured() { return forced.value_or(isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr); }
void set_coloured(bool on) { forced = on; }

std::string_view bold() { return when_coloured("\x1b[1m"); }
std::string_view green() { return when_coloured("\x1b[32m"); }
std::string_view yellow() { return when_coloured("\x1b[33m"); }
std::string_view red() { return when_coloured("\x1b[31m"); }
std::string_view dim() { return when_coloured("\x1b[2m"); }
std::string_view plain() { return when_coloured("\x1b[0m"); }

std::string padded(std::string_view text, std::size_t columns) {
    return std::string(text) + std::string(columns - std::min(columns, columns_of(text)), ' ');
}

std::string aligned(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.cells.size()));
        for (std::size_t i = 0; i < row.cells.size(); ++i)
            widths[i] = std::max(widths[i], columns_of(row.cells[i].text));
    }
    std::string out;
    for (const auto& row : rows) {
        append_line(out, row.cells, widths);
        if (!row.note.empty()) out.append("      ").append(dim()).append(row.note).append(plain()).append("\n");
    }
    return out;
}

std::string table(const std::vector<std::string>& header, const std::vector<Row>& rows) {
    std::vector<Row> all(1);
    for (const auto& title : header)
        all[0].cells.push_back({title, dim()});
    all.insert(all.end(), rows.begin(), rows.end());
    return aligned(all);
}

} // namespace flotilla::cli
