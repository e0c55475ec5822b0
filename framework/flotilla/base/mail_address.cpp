#include <flotilla/base/mail_address.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include <idn2.h>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/case_fold.hpp>

namespace flotilla {
namespace {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};

std::string dns_name(const std::string& domain) {
    std::uint8_t* out = nullptr;
    const int outcome = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(domain.c_str()), &out,
                                       IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    const std::unique_ptr<std::uint8_t, Free> owned(out);
    if (outcome == IDN2_MALLOC) throw std::bad_alloc();
    if (outcome != IDN2_OK || domain.contains('\0')) return case_folded(domain);
    return reinterpret_cast<const char*>(out);
}

} // namespace

std::string mail_address_key(std::string_view address) {
    // Nearly all are, and nothing else is done to them: not to names DNS knows in ASCII, either.
    if (std::ranges::none_of(address, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return ascii_lower(address);
    const auto at = address.rfind('@');
    if (at == std::string_view::npos) return case_folded(address);
    return case_folded(address.substr(0, at)) + '@' + dns_name(std::string(address.substr(at + 1)));
}

} // namespace flotilla
