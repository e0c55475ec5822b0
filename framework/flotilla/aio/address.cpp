#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include <flotilla/aio/world.hpp>

namespace flotilla {

namespace {
constexpr std::string_view kUnixPrefix = "unix:";

Error malformed(std::string_view text, std::string_view why) {
    return {Kind::invalid, fmt::format("\"{}\" is not an address: {}", text, why)};
}
} // namespace

std::string Address::to_string() const {
    if (is_unix() || host.empty()) return fmt::format("{}{}", kUnixPrefix, path);
    if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, port);
    return fmt::format("{}:{}", host, port);
}

Result<Address> Address::parse(std::string_view text) {
    if (text.starts_with(kUnixPrefix)) {
        const auto path = text.substr(kUnixPrefix.size());
        if (path.empty() || path.find('\0') != path.npos) return malformed(text, "expected unix:/path");
        return unix_socket(std::string(path));
    }
    const auto colon = text.rfind(':');
    if (colon == text.npos) return malformed(text, "expected host:port, [v6]:port or unix:/path");
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        if (host.find(':') == host.npos) return malformed(text, "brackets are for IPv6 addresses");
    } else if (host.find(':') != host.npos) {
        return malformed(text, "an IPv6 address stands in brackets");
    }
    const bool printable = std::ranges::all_of(host, [](char c) { return c > ' ' && c < 0x7f; });
    if (host.empty() || !printable || host.find_first_of("[]/@") != host.npos)
        return malformed(text, "the host is missing or malformed");
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
        return malformed(text, "the port is not a number from 0 to 65535");
    }
    return tcp(std::string(host), port);
}

} // namespace flotilla
