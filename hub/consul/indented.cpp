#include "hub/consul/indented.hpp"

#include <algorithm>

namespace flotilla::hub::consul {
namespace {

constexpr std::size_t kSpaces = 4;

/// The end of the string literal that starts at `start`.
std::size_t end_of_string(std::string_view json, std::size_t start) {
    auto at = start + 1;
    while (at < json.size() && json[at] != '"')
        at += json[at] == '\\' ? 2 : 1;
    return std::min(at + 1, json.size());
}

} // namespace

std::string indented(std::string_view json) {
    std::string out;
    std::size_t depth = 0;
    const auto break_line = [&] { out.append(1, '\n').append(depth * kSpaces, ' '); };
    for (std::size_t at = 0; at < json.size();) {
        const char c = json[at];
        if (c == '"') {
            const auto end = end_of_string(json, at);
            out += json.substr(at, end - at);
            at = end;
            continue;
        }
        ++at;
        const bool opens = c == '{' || c == '[';
        if (opens && at < json.size() && (json[at] == '}' || json[at] == ']')) {
            out.append(1, c).append(1, json[at++]);
            continue;
        }
        if (c == '}' || c == ']') {
            --depth;
            break_line();
        }
        out += c;
        if (opens) ++depth;
        if (opens || c == ',') break_line();
        if (c == ':') out += ' ';
    }
    out += '\n';
    return out;
}

} // namespace flotilla::hub::consul
