#include <flotilla/http/router.hpp>

#include <algorithm>
#include <array>
#include <span>

#include <boost/container/small_vector.hpp>

namespace flotilla::http {

namespace {

using Segments = boost::container::small_vector<std::string_view, 16>;

constexpr std::array kMethods{Method::delete_, Method::get,  Method::head, Method::options,
                              Method::patch,   Method::post, Method::put};

/// Which requests a route answers: those with one method, or any.
struct MethodFilter {
    bool any = false;
    Method method = Method::other; // when not any
    bool operator==(const MethodFilter&) const = default;
};

struct Route {
    MethodFilter filter;
    std::string pattern;
    std::vector<std::string> parameters;
    std::size_t value = 0;
};

/// "/a/{b}/{c...}" without its slashes; false when malformed.
bool parse_pattern(std::string_view pattern, Segments& segments, std::string& problem) {
    if (!pattern.starts_with('/')) {
        problem = "does not start with '/'";
        return false;
    }
    std::vector<std::string_view> names;
    for (auto rest = pattern; !rest.empty();) {
        rest.remove_prefix(1);
        const auto segment = rest.substr(0, rest.find('/'));
        rest.remove_prefix(segment.size());
        segments.push_back(segment);
        if (segment == "." || segment == "..") {
            problem = "has a dot segment, so no path matches it";
            return false;
        }
        if (segment.find_first_of("{}") == std::string_view::npos) continue;
        const bool whole = segment.size() > 2 && segment.front() == '{' && segment.back() == '}' &&
                           segment.find_first_of("{}", 1) == segment.size() - 1;
        if (!whole) {
            problem = "has a parameter that is not a whole segment";
            return false;
        }
        auto name = segment.substr(1, segment.size() - 2);
        if (name.ends_with("...")) {
            name.remove_suffix(3);
            if (!rest.empty()) {
                problem = "has something after {" + std::string(name) + "...}";
                return false;
            }
        }
        if (name.empty() || std::ranges::find(names, name) != names.end()) {
            problem = name.empty() ? "has a parameter without a name" : "names {" + std::string(name) + "} twice";
            return false;
        }
        names.push_back(name);
    }
    return true;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }
bool is_rest(std::string_view segment) { return segment.ends_with("...}"); }

/// A path cut at its slashes, decoded. `storage` holds what had to be decoded.
bool split_path(std::string_view path, Segments& segments, std::vector<std::string>& storage) {
    if (!path.starts_with('/')) return false;
    const bool encoded = path.find('%') != std::string_view::npos;
    if (encoded) storage.reserve(static_cast<std::size_t>(std::ranges::count(path, '/'))); // views into it stay valid
    for (auto rest = path; !rest.empty();) {
        rest.remove_prefix(1);
        auto segment = rest.substr(0, rest.find('/'));
        rest.remove_prefix(segment.size());
        if (encoded && segment.find('%') != std::string_view::npos) {
            auto decoded = percent_decode(segment);
            if (!decoded) return false;
            segment = storage.emplace_back(std::move(*decoded));
        }
        // A dot segment could mean another path to whoever comes after us (RFC 3986 §5.2.4).
        if (segment == "." || segment == "..") return false;
        segments.push_back(segment);
    }
    return true;
}

} // namespace

struct Router::Node {
    std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals; // sorted by text
    std::unique_ptr<Node> parameter;
    std::vector<std::unique_ptr<Route>> routes;      // of paths that end here
    std::vector<std::unique_ptr<Route>> rest_routes; // of paths that go on anyhow

    Node& literal(std::string_view text) {
        auto at = std::ranges::lower_bound(literals, text, {},
                                           [](const auto& each) -> std::string_view { return each.first; });
        if (at == literals.end() || at->first != text) {
            at = literals.emplace(at, std::string(text), std::make_unique<Node>());
        }
        return *at->second;
    }
    const Node* find_literal(std::string_view text) const {
        const auto at = std::ranges::lower_bound(literals, text, {},
                                                 [](const auto& each) -> std::string_view { return each.first; });
        return at != literals.end() && at->first == text ? at->second.get() : nullptr;
    }
    /// Calls visit(routes, rest) for each place the segments lead to, the most specific first, until it answers true.
    /// `rest`: how many segments a rest parameter takes; 0 for none.
    template <class Visit>
    bool walk(std::span<const std::string_view> segments, Visit& visit) const {
        if (segments.empty()) return !routes.empty() && visit(routes, std::size_t{0});
        const auto segment = segments.front();
        if (const auto* next = find_literal(segment); next && next->walk(segments.subspan(1), visit)) return true;
        if (parameter && !segment.empty() && parameter->walk(segments.subspan(1), visit)) return true;
        const bool something = segments.size() > 1 || !segment.empty();
        return something && !rest_routes.empty() && visit(rest_routes, segments.size());
    }
};

namespace {

const Route* with_filter(const std::vector<std::unique_ptr<Route>>& routes, MethodFilter filter) {
    const auto found = std::ranges::find(routes, filter, [](const auto& route) { return route->filter; });
    return found == routes.end() ? nullptr : found->get();
}

/// The method itself, then GET for HEAD, then a route for any method.
const Route* best_for(const std::vector<std::unique_ptr<Route>>& routes, Method method) {
    if (const auto* route = with_filter(routes, {.method = method})) return route;
    if (method == Method::head) {
        if (const auto* route = with_filter(routes, {.method = Method::get})) return route;
    }
    return with_filter(routes, {.any = true});
}

PathParameters bind_parameters(const Route& route, std::span<const std::string_view> segments, std::size_t rest) {
    PathParameters parameters;
    if (route.parameters.empty()) return parameters;
    parameters.reserve(route.parameters.size());
    std::size_t next = 0, at = 0;
    for (std::string_view pattern = route.pattern; !pattern.empty(); ++at) {
        pattern.remove_prefix(1);
        const auto segment = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(segment.size());
        if (!is_parameter(segment)) continue;
        std::string value(segments[at]);
        if (rest > 0 && pattern.empty()) {
            for (const auto more : segments.subspan(at + 1))
                value.append("/").append(more);
        }
        parameters.emplace_back(route.parameters[next++], std::move(value));
    }
    return parameters;
}

} // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;
Router::~Router() = default;

Result<void> Router::add(std::optional<Method> method, std::string_view pattern, std::size_t value) {
    Segments segments;
    std::string problem;
    if (!parse_pattern(pattern, segments, problem)) {
        return Error(Kind::invalid, "the route pattern " + std::string(pattern) + " " + problem);
    }
    const MethodFilter filter{.any = !method, .method = method.value_or(Method::other)};
    auto route = std::make_unique<Route>(Route{filter, std::string(pattern), {}, value});
    Node* node = root_.get();
    auto* routes = &node->routes;
    for (const auto segment : segments) {
        if (!is_parameter(segment)) {
            node = &node->literal(segment);
        } else {
            const bool rest = is_rest(segment);
            route->parameters.emplace_back(segment.substr(1, segment.size() - (rest ? 5 : 2)));
            if (rest) {
                routes = &node->rest_routes;
                break;
            }
            if (!node->parameter) node->parameter = std::make_unique<Node>();
            node = node->parameter.get();
        }
        routes = &node->routes;
    }
    if (const auto* other = with_filter(*routes, filter)) {
        return Error(Kind::conflict, "two routes for " + std::string(method ? name(*method) : "any method") +
                                         " match the same paths: " + other->pattern + " and " + std::string(pattern));
    }
    routes->push_back(std::move(route));
    return {};
}

Result<Router::Match> Router::match(Method method, std::string_view path) const {
    Segments segments;
    std::vector<std::string> storage;
    if (!split_path(path, segments, storage)) {
        return Error(Kind::invalid, "invalid_path",
                     "the path is malformed: it needs a leading '/', valid percent-encoding and no dot segments");
    }
    bool known = false;
    const Route* found = nullptr;
    std::size_t rest = 0;
    auto visit = [&](const auto& routes, std::size_t taken) {
        known = true;
        rest = taken;
        return (found = best_for(routes, method)) != nullptr;
    };
    if (root_->walk(segments, visit))
        return Match{found->value, found->pattern, bind_parameters(*found, segments, rest)};
    if (known) return Error(Kind::method_not_allowed, "Method not allowed");
    return Error(Kind::not_found, "Not found");
}

std::string Router::allowed(std::string_view path) const {
    Segments segments;
    std::vector<std::string> storage;
    std::array<bool, kMethods.size()> answered{};
    if (split_path(path, segments, storage)) {
        auto visit = [&](const auto& routes, std::size_t) {
            for (std::size_t i = 0; i < kMethods.size(); ++i)
                answered[i] = answered[i] || best_for(routes, kMethods[i]);
            return false;
        };
        root_->walk(segments, visit);
    }
    std::string list;
    for (std::size_t i = 0; i < kMethods.size(); ++i) {
        if (answered[i]) list.append(list.empty() ? "" : ", ").append(name(kMethods[i]));
    }
    return list;
}

} // namespace flotilla::http
