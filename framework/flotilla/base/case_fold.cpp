#include <flotilla/base/case_fold.hpp>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include <utf8proc.h>

#include <flotilla/base/ascii.hpp>

namespace flotilla {
namespace {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};

} // namespace

std::string case_folded(std::string_view text) {
    if (std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
        return ascii_lower(text);
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

} // namespace flotilla
