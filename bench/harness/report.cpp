#include "bench/harness/report.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <flotilla/base/json.hpp>

namespace flotilla::bench {
namespace {

constexpr std::size_t kColumns = 9;
using Line = std::array<std::string, kColumns>;

std::string quoted(std::string_view text) {
    std::string out;
    json::quote(out, text);
    return out;
}

std::string number_or_null(std::optional<double> value) { return value ? fmt::format("{:.3f}", *value) : "null"; }

/// Three significant digits, or whole numbers from a hundred on.
std::string readable(double value) { return fmt::format("{:.{}f}", value, value < 10 ? 2 : value < 100 ? 1 : 0); }

Line cells(const Row& row) {
    const auto ratio = row.ratio();
    const auto ok = row.ok();
    return {row.bench,
            row.what,
            readable(row.ours),
            row.unit,
            row.peer,
            row.peer_value     ? readable(*row.peer_value)
            : row.peer.empty() ? ""
                               : "skipped",
            ratio ? fmt::format("{:.2f}", *ratio) : "",
            row.target ? fmt::format("{} {:.2f}", row.wanted == Wanted::at_most ? "<=" : ">=", *row.target) : "",
            ok ? (*ok ? "yes" : "NO") : ""};
}

std::size_t width(std::string_view text) { // UTF-8: continuation bytes take no column
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

} // namespace

std::optional<double> Row::ratio() const {
    if (!peer_value || *peer_value == 0) return {};
    return ours / *peer_value;
}

std::optional<bool> Row::ok() const {
    const auto value = ratio();
    if (!value || !target) return {};
    return wanted == Wanted::at_most ? *value <= *target : *value >= *target;
}

std::string to_json(const Row& row) {
    const auto ok = row.ok();
    return fmt::format(R"({{"bench":{},"what":{},"ours":{:.3f},"unit":{},"peer":{},"peer_value":{},"ratio":{},)"
                       R"("target":{},"ok":{}}})",
                       quoted(row.bench), quoted(row.what), row.ours, quoted(row.unit),
                       row.peer.empty() ? "null" : quoted(row.peer), number_or_null(row.peer_value),
                       number_or_null(row.ratio()), number_or_null(row.target), ok ? (*ok ? "true" : "false") : "null");
}

std::string to_table(const std::vector<Row>& rows) {
    constexpr std::array<bool, kColumns> kRight{false, false, true, false, false, true, true, true, false};
    std::vector<Line> lines{{"bench", "what", "ours", "unit", "peer", "peer's", "ratio", "target", "ok"}};
    for (const auto& row : rows)
        lines.push_back(cells(row));
    std::array<std::size_t, kColumns> widths{};
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < kColumns; ++i)
            widths[i] = std::max(widths[i], width(line[i]));
    }
    std::string out;
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < kColumns; ++i) {
            const std::string padding(widths[i] - width(line[i]), ' ');
            text += kRight[i] ? padding + line[i] : line[i] + padding;
            text += "  ";
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + "\n";
    }
    return out;
}

} // namespace flotilla::bench
