#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// The registry answered something that its protocol does not have: "the registry's answer for X has an entry ...".
inline Error bad_answer(std::string_view service, std::string_view what) {
    return {Kind::bad_gateway, "bad_registry_answer",
            "the registry's answer for " + std::string(service) + " " + std::string(what)};
}

} // namespace flotilla
