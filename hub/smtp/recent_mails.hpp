#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flotilla::hub {

/// Where the newest mails are, by their fingerprints: an index on disk would touch a page of its own, anywhere in it,
/// for every mail. A hint: mails that were never committed may be in it, so what it finds is compared with the file.
/// Some 3 MB when full. Thread-safety: none; only the transactions of the mail store use it, one after the other.
class RecentMails {
public:
    static constexpr std::int64_t kMailsMax = 65'536;

    void add(std::int64_t number, std::string_view fingerprint) {
        const auto key = key_of(fingerprint);
        if (!key) return;
        if (keys_.empty()) keys_.resize(kMailsMax);
        std::uint64_t& held = keys_[slot_of(number)];
        const auto former = numbers_.find(held);
        if (former != numbers_.end() && slot_of(former->second) == slot_of(number)) numbers_.erase(former);
        held = *key;
        numbers_.insert_or_assign(*key, number);
    }
    std::optional<std::int64_t> find(std::string_view fingerprint) const {
        const auto key = key_of(fingerprint);
        const auto found = key ? numbers_.find(*key) : numbers_.end();
        return found == numbers_.end() ? std::nullopt : std::optional(found->second);
    }

private:
    static std::size_t slot_of(std::int64_t number) {
        return static_cast<std::uint64_t>(number) % static_cast<std::uint64_t>(kMailsMax);
    }
    /// The first 64 bits: whoever looks compares all of them. Nothing for mails that have none.
    static std::optional<std::uint64_t> key_of(std::string_view fingerprint) {
        std::uint64_t key = 0;
        const auto digits = fingerprint.substr(0, 16);
        const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), key, 16);
        return failure == std::errc() && !digits.empty() ? std::optional(key) : std::nullopt;
    }

    std::unordered_map<std::uint64_t, std::int64_t> numbers_;
    std::vector<std::uint64_t> keys_; ///< by number modulo kMailsMax
};

} // namespace flotilla::hub
