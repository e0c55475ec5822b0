#include <flotilla/service/settings.hpp>

#include <cstdlib>
#include <stdexcept>

#include <flotilla/base/json.hpp>
#include <flotilla/base/nearest_name.hpp>

namespace flotilla {
namespace {

std::string environment_name(std::string_view setting) {
    std::string name = "FLOTILLA_";
    for (const char c : setting)
        name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return name;
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

} // namespace flotilla
