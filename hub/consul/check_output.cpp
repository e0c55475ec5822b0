#include "hub/consul/check_output.hpp"

#include <simdjson.h>

namespace flotilla::hub::consul {
namespace {

constexpr std::size_t kBytesMax = 4096;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

} // namespace

std::string captured_output(std::string text) {
    const auto size = text.size();
    if (size > kBytesMax) {
        auto cut = kBytesMax;
        while (cut > 0 && is_continuation(text[cut]))
            --cut; // not through a character
        text.resize(cut);
    }
    if (!simdjson::validate_utf8(text.data(), text.size())) {
        for (char& c : text) {
            if (static_cast<unsigned char>(c) >= 0x80) c = '?';
        }
    }
    if (size > kBytesMax)
        text += " ... (captured " + std::to_string(kBytesMax) + " of " + std::to_string(size) + " bytes)";
    return text;
}

} // namespace flotilla::hub::consul
