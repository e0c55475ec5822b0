#pragma once

#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla {

/// What resolve() answers when a service has no healthy instance.
inline Error no_instance(std::string_view service) {
    return {Kind::unavailable, "no_instance", "no healthy instance of " + std::string(service) + " is known"};
}

/// The registry answered something that its protocol does not have.
/// what: a half sentence, as "has an entry without Service".
inline Error bad_answer(std::string_view service, std::string_view what) {
    std::string text = "the registry's answer for " + std::string(service) + " ";
    return Error(Kind::bad_gateway, "bad_registry_answer", text.append(what));
}

/// The registry understood, and does not do it. text: a sentence with its own words.
inline Error refused_by_registry(std::string text) {
    return Error(Kind::unavailable, "registry_refused", std::move(text));
}

} // namespace flotilla
