#include <flotilla/bus/redis/redis_target.hpp>

#include <charconv>

namespace flotilla {
namespace {

constexpr std::string_view kTcp = "redis://";
constexpr std::string_view kUnix = "redis+unix:";
constexpr std::string_view kDefaultPort = ":6379";

Error bad_url(std::string_view reason) {
    return Error(Kind::invalid, "invalid_bus_url", "redis URL: " + std::string(reason));
}

Result<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        unsigned char byte = 0;
        if (i + 2 >= text.size()) return bad_url("'%' needs two hex digits");
        const auto parsed = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
        if (parsed.ptr != text.data() + i + 3) return bad_url("'%' needs two hex digits");
        decoded += static_cast<char>(byte);
        i += 2;
    }
    return decoded;
}

Result<void> read_credentials(std::string_view text, RedisTarget& target) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return bad_url("credentials are USER:PASSWORD or :PASSWORD");
    auto user = percent_decoded(text.substr(0, colon));
    if (!user) return std::move(user.error());
    auto password = percent_decoded(text.substr(colon + 1));
    if (!password) return std::move(password.error());
    target.user = std::move(*user);
    target.password = std::move(*password);
    return {};
}

} // namespace

Result<RedisTarget> parse_redis_url(std::string_view url) {
    RedisTarget target;
    if (url.starts_with(kUnix)) {
        url.remove_prefix(kUnix.size());
        if (url.starts_with("//")) url.remove_prefix(2);
        if (url.empty()) return bad_url("expected redis+unix:/path/to/socket");
        target.address = Address::unix_socket(std::string(url));
        return target;
    }
    if (!url.starts_with(kTcp)) return bad_url("expected redis://HOST:PORT or redis+unix:PATH");
    url.remove_prefix(kTcp.size());
    if (const auto at = url.rfind('@'); at != std::string_view::npos) {
        if (auto read = read_credentials(url.substr(0, at), target); !read) return std::move(read.error());
        url.remove_prefix(at + 1);
    }
    if (const auto slash = url.find('/'); slash != std::string_view::npos) {
        const auto digits = url.substr(slash + 1);
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), target.database);
        if (!digits.empty() &&
            (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || target.database < 0)) {
            return bad_url("the database after '/' is a number");
        }
        url = url.substr(0, slash);
    }
    std::string host_and_port(url);
    const auto bracket = url.rfind(']');
    if (url.find(':', bracket == std::string_view::npos ? 0 : bracket) == std::string_view::npos)
        host_and_port += kDefaultPort;
    auto address = Address::parse(host_and_port);
    if (!address) return bad_url(address.error().message());
    target.address = std::move(*address);
    return target;
}

} // namespace flotilla
