#include <flotilla/service/request/routes.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace flotilla {
namespace {

constexpr auto kOwnPage = std::numeric_limits<std::size_t>::max(); ///< what the router has for them

void must_succeed(const Result<void>& added) {
    if (!added) throw std::logic_error(added.error().message());
}

} // namespace

Routes::Routes(Metrics& metrics, std::span<const std::string> own_pages)
    : metrics_(metrics), none_{.durations = {metrics, ""}, .endpoint = nullptr} {
    for (const auto& page : own_pages)
        add_own_page(page);
}

void Routes::add_own_page(std::string_view path) { must_succeed(router_.add(std::nullopt, path, kOwnPage)); }

void Routes::add(std::unique_ptr<EndpointCore> endpoint) {
    const auto& info = endpoint->info;
    std::string pattern(info.path);
    if (const auto taken = router_.match(Method::other, pattern); taken && taken->value == kOwnPage)
        throw std::logic_error(pattern + " is a page of the framework");
    must_succeed(router_.add(info.method, pattern, routes_.size()));
    routes_.push_back({.durations = {metrics_, std::move(pattern)}, .endpoint = std::move(endpoint)});
}

void Routes::add(std::string_view prefix, http::StaticContent files) {
    if (!prefix.starts_with('/') || prefix.contains('{') || (prefix.size() > 1 && prefix.ends_with('/')))
        throw std::logic_error("files are served under a prefix such as /ui, not " + std::string(prefix));
    const std::string base(prefix == "/" ? "" : prefix);
    for (const auto& pattern : {base, base + "/", base + "/{file...}"}) {
        if (!pattern.empty()) must_succeed(router_.add(Method::get, pattern, routes_.size()));
    }
    routes_.push_back({.durations = {metrics_, base + "/{file...}"}, .endpoint = nullptr, .files = std::move(files)});
}

std::vector<const EndpointInfo*> Routes::endpoints() const {
    std::vector<const EndpointInfo*> all;
    for (const auto& route : routes_)
        if (route.endpoint) all.push_back(&route.endpoint->info);
    return all;
}

MatchedRoute Routes::match(const http::RequestHead& request) {
    auto found = router_.match(request.method, request.path());
    if (!found) return {.route = none_, .refused = std::move(found.error())};
    if (found->value == kOwnPage) return {.route = none_, .own_page = found->pattern};
    return {.route = routes_[found->value], .parameters = std::move(found->parameters)};
}

} // namespace flotilla
