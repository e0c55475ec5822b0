#include <algorithm>
#include <string>

#include <flotilla/http/message.hpp>

#include "gateway/core/path.hpp"
#include "gateway/core/path_template.hpp"
#include "tests/fuzz/fuzz.hpp"

// Percent-decoding, query strings, the gateway's one form of a path and its templates. An input is a path, a text or a
// query; a second line, if there is one, is a path template for it.

namespace flotilla {
namespace {

using fuzz::require;

void check_text(std::string_view text) {
    const auto encoded = http::percent_encode(text);
    const auto decoded = http::percent_decode(encoded);
    const bool has_nul = text.contains('\0');
    require(has_nul ? !decoded : decoded == text, "encoding and decoding do not undo each other");
    for (const bool plus_is_space : {false, true}) {
        const auto once = http::percent_decode(text, plus_is_space);
        if (!once || once->contains('\0')) continue;
        require(http::percent_decode(http::percent_encode(*once), plus_is_space) == once, "a decoded text changes");
    }
}

void check_query(std::string_view text) {
    const auto pairs = http::parse_query(text);
    if (!pairs || text.contains('\0')) return; // a bare NUL never gets past the HTTP codec
    std::string again;
    for (const auto& [name, value] : *pairs) {
        again += again.empty() ? "" : "&";
        again += http::percent_encode(name) + "=" + http::percent_encode(value);
    }
    require(http::parse_query(again) == pairs, "query parameters change when written and read");
}

/// The normalised path, or nothing.
std::string check_path(std::string_view path) {
    std::string buffer;
    const auto normal = gateway::normalise_path(path, buffer);
    if (!normal) return {};
    const std::string once(*normal);
    const auto twice = gateway::normalise_path(once, buffer);
    require(twice && *twice == once, "normalising twice is not the same as once");
    require(!once.contains("//") && !(once + "/").contains("/../") && !(once + "/").contains("/./"),
            "a normal path has dot segments or repeated slashes");
    auto decoded = http::percent_decode(once);
    require(decoded.has_value(), "a normal path has a broken escape");
    std::ranges::replace(*decoded, '\\', '/');
    require(!(*decoded + "/").contains("/../") && !(*decoded + "/").contains("/./"),
            "a normal path hides a dot segment behind an escaped slash");
    for (const unsigned char c : once)
        require(c > 0x20 && c < 0x7f && c != '\\' && c != '?' && c != '#', "a normal path has a character that is not");
    return once;
}

void check_template(std::string_view text, const std::string& path) {
    const auto compiled = gateway::PathTemplate::compile(text, "/{a}/{b}/{rest...}");
    if (!compiled) return;
    const auto slashes = std::ranges::count(path, '/');
    if (slashes < 3 || path.ends_with('/')) return; // does not match the pattern
    std::string out;
    if (!compiled->expand_to(out, path)) return;
    require(out.starts_with('/') || !text.starts_with('/'), "an expanded path does not start with a slash");
    require(out.find_first_of(std::string_view(" \r\n\0#\\", 6)) == std::string::npos, "an expansion smuggles");
    require(std::ranges::count(out, '&') == std::ranges::count(text, '&') ||
                std::ranges::count(path, '&') > 0, // stays in paths
            "a value added a parameter");
}

} // namespace
} // namespace flotilla

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flotilla;
    auto rest = fuzz::text_of(data, size);
    check_text(rest);
    check_query(rest);
    const auto path = check_path(fuzz::take_line(rest));
    if (!rest.empty()) check_template(rest, path);
    return 0;
}
