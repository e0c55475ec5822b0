#include "hub/smtp/charset.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <iconv.h>
#include <simdjson.h>

#include <flotilla/base/ascii.hpp>

namespace flotilla::hub {

namespace {

constexpr std::size_t kNameBytesMax = 40;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD"; // U+FFFD
constexpr const char* kFallback = "WINDOWS-1252";

/// What mails say, and what they mean by it; the rest iconv knows by the same name. As in
/// https://encoding.spec.whatwg.org
constexpr std::array<std::pair<std::string_view, const char*>, 16> kMeant{{{"iso-8859-1", kFallback},
                                                                           {"iso8859-1", kFallback},
                                                                           {"latin1", kFallback},
                                                                           {"shift_jis", "CP932"},
                                                                           {"shift-jis", "CP932"},
                                                                           {"sjis", "CP932"},
                                                                           {"x-sjis", "CP932"},
                                                                           {"gb2312", "GB18030"},
                                                                           {"gbk", "GB18030"},
                                                                           {"x-gbk", "GB18030"},
                                                                           {"euc-kr", "UHC"},
                                                                           {"ks_c_5601-1987", "UHC"},
                                                                           {"iso-8859-8-i", "ISO-8859-8"},
                                                                           {"unicode-1-1-utf-7", "UTF-7"},
                                                                           {"x-mac-roman", "MACINTOSH"},
                                                                           {"x-cp1252", kFallback}}};

bool is_utf8(std::string_view bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

/// iconv takes suffixes ("//TRANSLIT") and odd characters in names; no set has those.
bool is_name(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("-_.:+").contains(c);
    };
    return !text.empty() && text.size() <= kNameBytesMax && std::ranges::all_of(text, allowed);
}

class Converter {
public:
    explicit Converter(const char* from) : handle_(::iconv_open("UTF-8", from)) {}
    Converter(const Converter&) = delete;
    Converter& operator=(const Converter&) = delete;
    ~Converter() {
        if (known()) ::iconv_close(handle_);
    }
    bool known() const { return handle_ != reinterpret_cast<iconv_t>(-1); } // NOLINT(performance-no-int-to-ptr)

    std::string operator()(std::string_view bytes) {
        std::string text;
        std::array<char, 4096> piece{};
        char* from = const_cast<char*>(bytes.data()); // iconv's signature; it only reads
        std::size_t left = bytes.size();
        while (left > 0) {
            char* to = piece.data();
            std::size_t room = piece.size();
            const bool done = ::iconv(handle_, &from, &left, &to, &room) != static_cast<std::size_t>(-1);
            const int failure = errno;
            text.append(piece.data(), piece.size() - room);
            if (done || failure == E2BIG) continue;
            text += kReplacement;
            if (failure != EILSEQ) break; // cut off within a character
            ++from;
            --left;
        }
        return text;
    }

private:
    iconv_t handle_;
};

} // namespace

std::optional<std::string> decode_charset(std::string_view bytes, std::string_view charset) {
    const std::string name = ascii_lower(charset);
    if (name == "utf-8" || name == "utf8" || name == "us-ascii") return decode_unknown(bytes);
    if (!is_name(name)) return std::nullopt;
    const auto* const meant = std::ranges::find(kMeant, name, [](const auto& each) { return each.first; });
    Converter convert(meant == kMeant.end() ? name.c_str() : meant->second);
    if (!convert.known()) return std::nullopt;
    return convert(bytes);
}

std::string decode_unknown(std::string_view bytes) {
    if (is_utf8(bytes)) return std::string(bytes);
    return Converter(kFallback)(bytes);
}

} // namespace flotilla::hub
