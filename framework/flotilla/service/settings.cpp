#include <flotilla/service/settings.hpp>

#include <cstdlib>
#include <stdexcept>

#include <flotilla/base/environment_name.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/base/nearest_name.hpp>

namespace flotilla {
namespace {

/// Who means a setting by a variable without the prefix is told, rather than left with the default.
void refuse_without_prefix(std::string_view setting, const std::set<std::string, std::less<>>& flag_variables) {
    const auto variable = environment_name("FLOTILLA_", setting);
    if (flag_variables.contains(variable) || std::getenv(variable.c_str()) == nullptr) return;
    throw std::runtime_error(variable + " is set and nothing reads it: the setting '" + std::string(setting) + "' is " +
                             environment_name(kSettingPrefix, setting) + " in the environment");
}

} // namespace

void read_settings_into(const TypeDescriptor& type, void* settings, const SettingValues& values,
                        const std::set<std::string, std::less<>>& flag_variables,
                        std::set<std::string, std::less<>>& known) {
    for (const auto& field : type.fields) {
        const std::string name(field.name);
        known.insert(name);
        const auto variable = environment_name(kSettingPrefix, name);
        std::string source = "--set " + name;
        std::string text;
        if (const auto given = values.find(name); given != values.end()) {
            text = given->second;
        } else if (const char* value = std::getenv(variable.c_str())) {
            source = variable;
            text = value;
        } else {
            refuse_without_prefix(name, flag_variables);
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
