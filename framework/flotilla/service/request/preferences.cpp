#include <flotilla/service/request/preferences.hpp>

#include <algorithm>
#include <charconv>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>
#include <flotilla/service/preferred_wait.hpp>

namespace flotilla {
namespace {

constexpr Duration kLeftForTheAnswer = std::chrono::milliseconds(500);

/// "wait=10", without what stands behind a ';'.
std::optional<std::uint32_t> wait_of(std::string_view preference) {
    preference = preference.substr(0, preference.find(';'));
    const auto equals = preference.find('=');
    if (equals == std::string_view::npos || !equal_ignoring_case(http::trim(preference.substr(0, equals)), "wait"))
        return {};
    const auto digits = http::trim(preference.substr(equals + 1));
    std::uint32_t seconds = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (failure != std::errc() || end != digits.data() + digits.size()) return {};
    return seconds;
}

} // namespace

Preferences preferences_of(const http::Headers& headers) {
    Preferences found;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (!equal_ignoring_case(headers[i].name, "prefer")) continue;
        http::for_each_element(headers[i].value, [&](std::string_view preference) {
            if (!found.wait_s) found.wait_s = wait_of(preference); // the first one counts (RFC 7240 §2)
        });
    }
    return found;
}

std::optional<Duration> preferred_wait(const Context& context) {
    const auto* preferences = context.carried<Preferences>();
    if (preferences == nullptr || !preferences->wait_s) return std::nullopt;
    const auto longest = std::max(Duration(), context.remaining() - kLeftForTheAnswer);
    return std::min<Duration>(std::chrono::seconds(*preferences->wait_s), longest);
}

} // namespace flotilla
