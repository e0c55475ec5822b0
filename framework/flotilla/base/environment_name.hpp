#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/ascii.hpp>

namespace flotilla {

/// The environment variable that stands for a flag or a setting: its prefix, and the name in upper case with its words
/// parted by '_'. ("FLOTILLA_", "body-bytes-max") and ("FLOTILLA_", "bodyBytesMax") are FLOTILLA_BODY_BYTES_MAX.
inline std::string environment_name(std::string_view prefix, std::string_view name) {
    std::string variable(prefix);
    char previous = 0;
    for (const char c : name) {
        if (is_ascii_upper(c) && previous != 0 && !is_ascii_upper(previous) && previous != '-') variable += '_';
        variable += c == '-' ? '_' : ascii_upper(c);
        previous = c;
    }
    return variable;
}

} // namespace flotilla
