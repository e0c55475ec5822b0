#include <flotilla/base/mail_address.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include <idn2.h>
#include <utf8proc.h>

#include <flotilla/base/ascii.hpp>

namespace flotilla {
namespace {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};

std::string folded(std::string_view text) {
    constexpr auto kNfkcCasefold = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                                                  UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
    utf8proc_uint8_t* out = nullptr;
    const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &out, kNfkcCasefold);
    const std::unique_ptr<utf8proc_uint8_t, Free> owned(out);
    if (size == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
    if (size < 0) return ascii_lower(text);
    return {reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)};
}

std::string dns_name(const std::string& domain) {
    std::uint8_t* out = nullptr;
    const int outcome = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(domain.c_str()), &out,
                                       IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const std::unique_ptr<std::uint8_t, Free> owned(out);
    if (outcome == IDN2_MALLOC) throw std::bad_alloc();
    if (outcome != IDN2_OK || domain.contains('\0')) return folded(domain);
    return reinterpret_cast<const char*>(out);
}

} // namespace

std::string mail_address_key(std::string_view address) {
    // Nearly all are, and nothing else is done to them: not to names DNS knows in ASCII, either.
    if (std::ranges::none_of(address, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return ascii_lower(address);
    const auto at = address.rfind('@');
    if (at == std::string_view::npos) return folded(address);
    return folded(address.substr(0, at)) + '@' + dns_name(std::string(address.substr(at + 1)));
}

} // namespace flotilla
