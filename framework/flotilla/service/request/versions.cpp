#include <flotilla/service/request/versions.hpp>

#include <charconv>

#include <flotilla/http/conditions.hpp>

namespace flotilla {
namespace {

/// Nothing for a tag that is not exactly one of etag_of().
std::optional<std::int64_t> version_of(std::string_view opaque) {
    const auto digits = opaque.substr(1, opaque.size() - 2);
    std::int64_t version = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
    const bool whole = failure == std::errc() && end == digits.data() + digits.size();
    return whole && etag_of(version) == opaque ? std::optional(version) : std::nullopt;
}

std::optional<ExpectedVersion::Versions> versions_of(const http::Headers& headers, std::string_view field,
                                                     bool weak_count) {
    const auto tags = http::entity_tags(headers, field);
    if (!tags) return std::nullopt;
    ExpectedVersion::Versions versions{.any = tags->any};
    for (const auto& tag : tags->tags) {
        if (tag.weak && !weak_count) continue;
        if (const auto version = version_of(tag.opaque)) versions.listed.push_back(*version);
    }
    return versions;
}

} // namespace

std::string etag_of(std::int64_t version) {
    return version > 0 ? "\"" + std::to_string(version) + "\"" : std::string();
}

Result<ExpectedVersion> expected_version(const http::Headers& headers, const EndpointOptions& endpoint) {
    auto only = versions_of(headers, "if-match", false);
    if (!only && endpoint.if_match_required) return precondition_required;
    return ExpectedVersion(std::move(only), versions_of(headers, "if-none-match", true));
}

} // namespace flotilla
