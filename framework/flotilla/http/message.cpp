#include <flotilla/http/message.hpp>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <stdexcept>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

void Headers::add(std::string_view name, std::string_view value) {
    if (!is_token(name) || !is_field_value(value)) {
        throw std::invalid_argument("not a valid header field: " + std::string(name));
    }
    append(known_field(name), name, trim(value));
}

void Headers::add(const Headers& from, std::size_t index) {
    Entry entry = from.entries_[index];
    const auto at = static_cast<std::uint32_t>(text_.size());
    text_.append(from.text_, entry.at, entry.line_size());
    entry.at = at;
    entries_.push_back(entry);
}

void Headers::append(KnownField known, std::string_view name, std::string_view value) {
    const auto at = text_.size();
    const auto size = at + name.size() + value.size() + kPunctuation;
    // The size it calls back with is its capacity in libstdc++ 12: not to be returned.
    text_.resize_and_overwrite(size, [&](char* text, std::size_t) {
        char* end = text + at;
        std::memcpy(end, name.data(), name.size());
        end += name.size();
        *end++ = ':';
        *end++ = ' ';
        if (!value.empty()) std::memcpy(end, value.data(), value.size()); // an empty one may have no data
        end += value.size();
        *end++ = '\r';
        *end = '\n';
        return size;
    });
    entries_.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(name.size()),
                        static_cast<std::uint32_t>(value.size()), known});
}

std::string_view Headers::name_of(const Entry& entry) const {
    return std::string_view(text_).substr(entry.at, entry.name_size);
}

std::string_view Headers::value_of(const Entry& entry) const {
    return std::string_view(text_).substr(entry.at + entry.name_size + 2, entry.value_size);
}

void Headers::set(std::string_view name, std::string_view value) {
    const std::string kept_name(name), kept_value(value); // they may be views into this object
    remove(kept_name);
    add(kept_name, kept_value);
}

void Headers::set_valid(std::string_view name, std::string_view value) {
    const auto named = [&](const Entry& entry) {
        return entry.name_size == name.size() && equal_ignoring_case(name_of(entry), name);
    };
    const auto first = std::ranges::find_if(entries_, named);
    if (first != entries_.end()) {
        if (first->value_size == value.size() && std::none_of(first + 1, entries_.end(), named)) {
            text_.replace(first->at + name.size() + 2, value.size(), value);
            return;
        }
        remove(name);
    }
    add_valid(name, value);
}

void Headers::remove(std::string_view name) {
    const auto named = [&](const Entry& entry) { return equal_ignoring_case(name_of(entry), name); };
    if (std::erase_if(entries_, named) == 0) return;
    // Removed text stays behind until it outweighs the rest, so that repeated set() does not grow without bound.
    std::size_t used = 0;
    for (const auto& entry : entries_)
        used += entry.line_size();
    if (text_.size() > 2 * used + 256) {
        Headers compact;
        for (std::size_t i = 0; i < size(); ++i)
            compact.add(*this, i);
        *this = std::move(compact);
    }
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
    for (const auto& entry : entries_) {
        if (entry.name_size == name.size() && equal_ignoring_case(name_of(entry), name)) return value_of(entry);
    }
    return std::nullopt;
}

bool Headers::lists(std::string_view name, std::string_view token) const {
    bool found = false;
    for (std::size_t i = 0; i < size() && !found; ++i) {
        const auto field = (*this)[i];
        if (!equal_ignoring_case(field.name, name)) continue;
        for_each_element(field.value,
                         [&](std::string_view element) { found = found || equal_ignoring_case(element, token); });
    }
    return found;
}

Headers::Field Headers::operator[](std::size_t index) const {
    const auto& entry = entries_[index];
    return {name_of(entry), value_of(entry)};
}

std::string_view Headers::line(std::size_t index) const {
    const auto& entry = entries_[index];
    return std::string_view(text_).substr(entry.at, entry.line_size());
}

void Headers::clear() {
    text_.clear();
    entries_.clear();
}

std::string_view RequestHead::path() const { return std::string_view(target).substr(0, target.find('?')); }

std::string_view RequestHead::query() const {
    const auto mark = target.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

namespace {

struct Phrase {
    int status;
    std::string_view text;
};

// By status.
constexpr Phrase kPhrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

} // namespace

std::string_view reason_phrase(int status) {
    const auto* found = std::ranges::lower_bound(kPhrases, status, {}, &Phrase::status);
    return found != std::end(kPhrases) && found->status == status ? found->text : std::string_view();
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
            if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        decoded.push_back(c);
    }
    return decoded;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            encoded.push_back(c);
        } else {
            encoded.push_back('%');
            encoded.push_back(digits[byte >> 4]);
            encoded.push_back(digits[byte & 15]);
        }
    }
    return encoded;
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> pairs;
    while (!query.empty()) {
        const auto end = query.find('&');
        const auto pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        auto name = percent_decode(pair.substr(0, equals), true);
        auto value = equals == std::string_view::npos ? std::optional<std::string>(std::in_place)
                                                      : percent_decode(pair.substr(equals + 1), true);
        if (!name || !value) return std::nullopt;
        pairs.emplace_back(std::move(*name), std::move(*value));
    }
    return pairs;
}

} // namespace flotilla::http
