#include <flotilla/base/base64.hpp>

#include <algorithm>
#include <cstdint>

namespace flotilla {
namespace {
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

std::string base64(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        const auto count = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t k = 0; k < 3; ++k)
            group = (group << 8) | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k)
            out += k <= count ? kAlphabet[(group >> (18 - 6 * k)) & 63] : '=';
    }
    return out;
}

std::optional<std::string> parse_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const auto padding = text.ends_with("==") ? 2u : text.ends_with('=') ? 1u : 0u;
    std::string out;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digit = i >= text.size() - padding ? 0 : kAlphabet.find(text[i]);
        if (digit == std::string_view::npos) return std::nullopt;
        group = (group << 6) | static_cast<std::uint32_t>(digit);
        if (i % 4 != 3) continue;
        for (int shift = 16; shift >= 0; shift -= 8)
            out += static_cast<char>((group >> shift) & 0xff);
        group = 0;
    }
    out.resize(out.size() - padding);
    return out;
}

} // namespace flotilla
