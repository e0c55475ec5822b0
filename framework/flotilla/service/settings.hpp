#pragma once

#include <map>
#include <set>
#include <string>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla {

using SettingValues = std::map<std::string, std::string, std::less<>>;

/// In the environment a service's own settings have a prefix of their own: FLOTILLA_SET_SMTP is --set smtp, whatever
/// flags of the framework there are (FLOTILLA_PORT is --port).
inline constexpr std::string_view kSettingPrefix = "FLOTILLA_SET_";

/// Fills the fields of a described struct: `name` from --set name=value, else from FLOTILLA_SET_NAME in the
/// environment, else the default stays. Names read are added to `known`. Throws std::runtime_error naming setting,
/// value and expectation; also when FLOTILLA_NAME is set, which would not be read, and is none of `flag_variables`.
void read_settings_into(const TypeDescriptor& type, void* settings, const SettingValues& values,
                        const std::set<std::string, std::less<>>& flag_variables,
                        std::set<std::string, std::less<>>& known);

/// Errors: invalid when --set names a setting that nothing reads, with the nearest that exists.
Result<void> check_settings(const SettingValues& values, const std::set<std::string, std::less<>>& known);

} // namespace flotilla
