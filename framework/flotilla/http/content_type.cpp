#include <flotilla/http/content_type.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

constexpr auto kTypes = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"avif", "image/avif"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"ogg", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
});
static_assert(std::ranges::is_sorted(kTypes, {}, &std::pair<std::string_view, std::string_view>::first));

/// A weight in thousandths: "0.5" is 500. -1 when malformed.
int parse_weight(std::string_view text) {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return -1;
    if (text.size() > 1 && text[1] != '.') return -1;
    int weight = (text[0] - '0') * 1000, unit = 100;
    for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
        if (c < '0' || c > '9') return -1;
        weight += (c - '0') * unit;
        unit /= 10;
    }
    return weight <= 1000 ? weight : -1;
}

/// "gzip ; q=0.5" to its coding and weight.
std::pair<std::string_view, int> parse_coding(std::string_view element) {
    const auto semicolon = element.find(';');
    const auto coding = trim(element.substr(0, semicolon));
    if (semicolon == std::string_view::npos) return {coding, 1000};
    const auto parameter = trim(element.substr(semicolon + 1));
    const bool is_weight = parameter.starts_with("q=") || parameter.starts_with("Q=");
    return {coding, is_weight ? std::max(parse_weight(parameter.substr(2)), 0) : 0};
}

/// "application/json", "application/problem+json; charset=utf-8", ...
bool is_json(std::string_view content_type) {
    auto type = content_type.substr(0, content_type.find(';'));
    while (type.ends_with(' '))
        type.remove_suffix(1);
    const auto lower = ascii_lower(type);
    return lower == "application/json" || lower.ends_with("+json");
}

} // namespace

std::string_view content_type_of(std::string_view file_name) {
    const auto dot = file_name.rfind('.');
    const auto extension = dot == std::string_view::npos ? std::string_view() : file_name.substr(dot + 1);
    const auto found =
        std::ranges::find_if(kTypes, [&](const auto& each) { return equal_ignoring_case(each.first, extension); });
    return found == kTypes.end() ? "application/octet-stream" : found->second;
}

bool accepts_gzip(const Headers& headers) {
    int gzip = -1, any = -1, identity = -1; // weights; -1: not named
    for (std::size_t i = 0; i < headers.size(); ++i) {
        if (!equal_ignoring_case(headers[i].name, "accept-encoding")) continue;
        for_each_element(headers[i].value, [&](std::string_view element) {
            const auto [coding, weight] = parse_coding(element);
            if (equal_ignoring_case(coding, "gzip") || equal_ignoring_case(coding, "x-gzip"))
                gzip = std::max(gzip, weight);
            if (coding == "*") any = std::max(any, weight);
            if (equal_ignoring_case(coding, "identity")) identity = std::max(identity, weight);
        });
    }
    if (gzip < 0) gzip = any;
    return gzip > 0 && gzip >= identity;
}

Result<void> check_json_content(const Headers& headers) {
    const auto type = headers.get("content-type");
    const bool from_page = headers.has("origin") || headers.has("sec-fetch-site");
    if (type ? is_json(*type) : !from_page) return {};
    return Error(Kind::unsupported, "unsupported_media_type",
                 "send application/json, not " + std::string(type.value_or("content of no type")));
}

} // namespace flotilla::http
