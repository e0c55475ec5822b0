#pragma once

#include <map>
#include <set>
#include <string>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla {

using SettingValues = std::map<std::string, std::string, std::less<>>;

/// Fills the fields of a described struct: `name` from --set name=value, else from FLOTILLA_NAME in the environment,
/// else the default stays. Names read are added to `known`. Throws std::runtime_error naming setting, value and
/// expectation.
void read_settings_into(const TypeDescriptor& type, void* settings, const SettingValues& values,
                        std::set<std::string, std::less<>>& known);

/// Errors: invalid when --set names a setting that nothing reads, with the nearest that exists.
Result<void> check_settings(const SettingValues& values, const std::set<std::string, std::less<>>& known);

} // namespace flotilla
