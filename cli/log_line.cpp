#include "cli/log_line.hpp"

#include <algorithm>
#include <numeric>

#include <flotilla/base/json_value.hpp>

#include "cli/terminal.hpp"

namespace flotilla::cli {
namespace {

constexpr std::size_t kMemberColumns = 20;
constexpr std::size_t kMessageColumns = 28;

std::string text_of(const boost::json::value& value) {
    if (const auto* text = value.if_string()) return std::string(*text);
    return json::write(value);
}

std::string text_of(const boost::json::object& line, std::string_view name) {
    const auto* value = line.if_contains(name);
    return value ? text_of(*value) : std::string();
}

std::string_view colour_of(std::string_view level) {
    if (level == "error") return red();
    if (level == "warning") return yellow();
    return level == "debug" ? dim() : green();
}

/// What a log says is not to be believed: control characters would reach the terminal.
std::string printable(std::string_view text) {
    std::string clean;
    for (const char c : text)
        clean += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    return clean;
}

std::string pretty_object(const LogLine& line, const boost::json::object& object) {
    const auto level = text_of(object, "level");
    std::string out;
    out.append(dim()).append(line.time.size() >= 23 ? line.time.substr(11, 12) : line.time).append(plain());
    out.append(" ").append(colour_of(level)).append(padded(printable(level), 7)).append(plain());
    out.append(" ").append(padded(line.member, kMemberColumns)).append(" ");
    const auto message = printable(text_of(object, "message"));
    std::string fields;
    for (const auto& [key, value] : object) {
        const std::string_view name(key.data(), key.size());
        if (name == "time" || name == "level" || name == "service" || name == "message" || name == "span_id") continue;
        fields.append(" ").append(dim()).append(printable(name)).append("=").append(plain());
        fields.append(printable(text_of(value)));
    }
    return out.append(fields.empty() ? message : padded(message, kMessageColumns)).append(fields);
}

} // namespace

LogLine read_log_line(std::string member, std::string text) {
    LogLine line{std::move(member), std::move(text), {}};
    if (!line.text.starts_with('{')) return line;
    const auto value = json::parse_value(line.text);
    if (value && value->is_object()) line.time = text_of(value->get_object(), "time");
    return line;
}

std::string pretty(const LogLine& line) {
    if (!line.time.empty()) {
        const auto value = json::parse_value(line.text);
        if (value && value->is_object()) return pretty_object(line, value->get_object());
    }
    return std::string(20, ' ')
        .append(" ")
        .append(padded(line.member, kMemberColumns))
        .append(" ")
        .append(printable(line.text));
}

std::vector<LogLine> merge(std::vector<std::vector<LogLine>> lines) {
    std::vector<std::pair<std::string, LogLine>> all;
    for (auto& member : lines) {
        std::string time;
        for (auto& line : member) {
            if (!line.time.empty()) time = line.time;
            all.emplace_back(time, std::move(line));
        }
    }
    std::vector<std::size_t> order(all.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(std::string_view(all[i].first), i); });
    std::vector<LogLine> merged;
    for (const auto i : order)
        merged.push_back(std::move(all[i].second));
    return merged;
}

} // namespace flotilla::cli
