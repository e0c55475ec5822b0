#include <array>

#include <flotilla/contract/endpoint.hpp>

namespace flotilla {
namespace {

// Indexed by Method, in its order.
constexpr std::array<std::string_view, 8> kNames{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", ""};

} // namespace

std::string_view name(Method method) { return kNames.at(static_cast<std::size_t>(method)); }

Method parse_method(std::string_view text) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(Method::other); ++i) {
        if (kNames[i] == text) return static_cast<Method>(i);
    }
    return Method::other;
}

} // namespace flotilla
