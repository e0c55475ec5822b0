#include "hub/smtp/mail_fingerprint.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <openssl/evp.h>

#include <flotilla/base/ascii.hpp>

namespace flotilla::hub {

namespace {

constexpr std::array<std::string_view, 5> kOfTheWay{"received", "return-path", "delivered-to", "dkim-signature",
                                                    "date"};

bool same_for_every_try(std::string_view name) {
    return std::ranges::none_of(kOfTheWay, [name](auto each) { return equal_ignoring_case(name, each); });
}

class Sha256 {
public:
    Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
        if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
            throw std::runtime_error("OpenSSL cannot make a SHA-256");
    }
    /// With its length, so that pieces cannot be cut in another way.
    void add(std::string_view piece) {
        const std::uint64_t size = piece.size();
        EVP_DigestUpdate(context_.get(), &size, sizeof size);
        EVP_DigestUpdate(context_.get(), piece.data(), piece.size());
    }
    std::string first_hex_digits() {
        constexpr std::string_view kDigits = "0123456789abcdef";
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
        std::string text;
        for (std::size_t i = 0; i < 16; ++i) {
            text += kDigits[digest[i] >> 4];
            text += kDigits[digest[i] & 15];
        }
        return text;
    }

private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

} // namespace

std::string mail_fingerprint(std::string_view sender, const ParsedMail& mail) {
    if (mail.field("Message-ID").empty()) return {};
    Sha256 hash;
    hash.add(sender);
    for (const auto& [name, value] : mail.fields) {
        if (!same_for_every_try(name)) continue;
        hash.add(name);
        hash.add(value);
    }
    hash.add(mail.body);
    return hash.first_hex_digits();
}

} // namespace flotilla::hub
