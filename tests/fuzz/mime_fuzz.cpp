#include <optional>
#include <string>

#include <flotilla/base/base64.hpp>

#include "hub/smtp/mime.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any text as a mail: shown somehow, never more than a small multiple of what came, and encodings undone exactly.

/// A byte of some character sets stands for several characters of up to three bytes each.
constexpr std::size_t kGrowth = 12;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flotilla;
    using fuzz::require;
    const auto text = fuzz::text_of(data, size);

    const auto mail = hub::parse_mail(text);
    require(mail.body.empty() ||
                (mail.body.data() >= text.data() && mail.body.data() + mail.body.size() <= text.data() + text.size()),
            "the body lies outside the mail");
    for (const auto& [name, value] : mail.fields) {
        require(name.size() + value.size() <= text.size(), "a field is larger than its mail");
        require(hub::decode_header(value).size() <= kGrowth * value.size(), "a decoded field grew");
    }
    require(hub::readable_text(mail).size() <= kGrowth * text.size(), "a readable text grew");
    require(hub::decode_header(text).size() <= kGrowth * text.size(), "a decoded text grew");
    require(hub::decode_quoted_printable(text).size() <= text.size(), "quoted-printable grew");

    const auto encoded = base64(text);
    require(hub::decode_base64(encoded) == std::optional<std::string>(text), "base64 changes in a mail");
    require(parse_base64(encoded) == std::optional<std::string>(text), "base64 changes");
    return 0;
}
