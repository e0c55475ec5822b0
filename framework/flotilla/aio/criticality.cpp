#include <flotilla/aio/criticality.hpp>

#include <array>

namespace flotilla {
namespace {

constexpr std::array<std::string_view, kCriticalities> kNames{"sheddable", "normal", "critical"};
constexpr std::size_t kShownBytesMax = 32; ///< of what is not understood

} // namespace

std::string_view name(Criticality criticality) { return kNames[static_cast<std::size_t>(criticality)]; }

Result<Criticality> parse_criticality(std::string_view text) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (text == kNames[i]) return static_cast<Criticality>(i);
    }
    return Error(Kind::invalid, "a criticality is critical, normal or sheddable, not \"" +
                                    std::string(text.substr(0, kShownBytesMax)) + "\"");
}

} // namespace flotilla
