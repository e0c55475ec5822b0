#include <flotilla/service/settings.hpp>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <stdexcept>

#include <flotilla/base/json.hpp>

namespace flotilla {
namespace {

std::string environment_name(std::string_view setting) {
    std::string name = "FLOTILLA_";
    for (const char c : setting)
        name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return name;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto changed = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row[b.size()];
}

} // namespace

void read_settings_into(const TypeDescriptor& type, void* settings, const SettingValues& values,
                        std::set<std::string, std::less<>>& known) {
    for (const auto& field : type.fields) {
        const std::string name(field.name);
        known.insert(name);
        std::string source = "--set " + name;
        std::string text;
        if (const auto given = values.find(name); given != values.end()) {
            text = given->second;
        } else if (const char* variable = std::getenv(environment_name(name).c_str())) {
            source = environment_name(name);
            text = variable;
        } else {
            continue;
        }
        auto set = json::set_from_text(*field.type, static_cast<char*>(settings) + field.offset, text);
        if (!set) throw std::runtime_error(source + "=" + text + ": " + set.error().message());
    }
}

Result<void> check_settings(const SettingValues& values, const std::set<std::string, std::less<>>& known) {
    for (const auto& [name, value] : values) {
        if (known.contains(name)) continue;
        const auto near = nearest_name(name, known);
        return Error(Kind::invalid, "--set " + name + ": there is no such setting" +
                                        (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    return {};
}

std::string nearest_name(std::string_view name, const std::set<std::string, std::less<>>& candidates) {
    std::string best;
    std::size_t best_distance = name.size() / 3 + 2;
    for (const auto& candidate : candidates) {
        const auto distance = edit_distance(name, candidate);
        if (distance >= best_distance) continue;
        best_distance = distance;
        best = candidate;
    }
    return best;
}

} // namespace flotilla
