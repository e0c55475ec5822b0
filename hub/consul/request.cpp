#include "hub/consul/request.hpp"

#include <algorithm>

#include "hub/consul/go_text.hpp"

namespace flotilla::hub::consul {

bool ConsulRequest::has(std::string_view name) const {
    return std::ranges::any_of(parameters, [&](const auto& each) { return each.first == name; });
}

std::string_view ConsulRequest::parameter(std::string_view name) const {
    const auto found =
        std::ranges::find(parameters, name, [](const auto& each) { return std::string_view(each.first); });
    return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<std::string_view> ConsulRequest::all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [key, value] : parameters) {
        if (key == name) values.push_back(value);
    }
    return values;
}

ConsulReply reply_json(const boost::json::value& value, std::uint64_t index) {
    return {.body = boost::json::serialize(value), .index = index};
}

ConsulReply reply_text(int status, std::string text) {
    return {.status = status, .body = std::move(text), .content_type = "text/plain; charset=utf-8"};
}

ConsulReply reply_nothing() { return reply_text(200, ""); }
ConsulReply reply_pending() { return {.pending = true}; }

ConsulReply reply_full(std::string_view what, std::size_t limit) {
    return reply_text(503, "the registry is full: it holds at most " + std::to_string(limit) + " " + std::string(what));
}

std::optional<bool> read_flag(const ConsulRequest& request, std::string_view name) {
    if (!request.has(name)) return false;
    const auto text = request.parameter(name);
    if (text.empty()) return true;
    const auto flag = parse_go_bool(text);
    return flag ? std::optional(*flag) : std::nullopt;
}

bool has_node_meta(const ConsulRequest& request, const std::map<std::string, std::string>& meta) {
    return std::ranges::all_of(request.all("node-meta"), [&](std::string_view pair) {
        const auto colon = pair.find(':');
        const auto found = meta.find(std::string(pair.substr(0, colon)));
        const auto wanted = colon == std::string_view::npos ? std::string_view() : pair.substr(colon + 1);
        return found != meta.end() && found->second == wanted;
    });
}

} // namespace flotilla::hub::consul
