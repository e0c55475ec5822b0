#include "hub/consul/check_output.hpp"

#include <algorithm>

#include <simdjson.h>

namespace flotilla::hub::consul {
namespace {

constexpr std::size_t kBytesMost = 4096;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

} // namespace

std::string captured_output(std::string text, std::size_t bytes_max) {
    const auto size = text.size();
    bytes_max = bytes_max == 0 ? kBytesMost : std::min(bytes_max, kBytesMost);
    if (size > bytes_max) {
        auto cut = bytes_max;
        while (cut > 0 && is_continuation(text[cut]))
            --cut; // not through a character
        text.resize(cut);
    }
    if (!simdjson::validate_utf8(text.data(), text.size())) {
        for (char& c : text) {
            if (static_cast<unsigned char>(c) >= 0x80) c = '?';
        }
    }
    if (size > bytes_max)
        text += " ... (captured " + std::to_string(bytes_max) + " of " + std::to_string(size) + " bytes)";
    return text;
}

} // namespace flotilla::hub::consul
