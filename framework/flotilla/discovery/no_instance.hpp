#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// What resolve() answers when a service has no healthy instance.
inline Error no_instance(std::string_view service) {
    return {Kind::unavailable, "no_instance", "no healthy instance of " + std::string(service) + " is known"};
}

} // namespace flotilla
