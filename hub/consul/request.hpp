#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include <flotilla/http/message.hpp>

#include "hub/consul/filter.hpp"
#include "hub/consul/stores.hpp"

namespace flotilla::hub::consul {

struct Route;

/// One request as the endpoints see it: already read, decoded and timed. They do no I/O.
struct ConsulRequest {
    Method method = Method::get;
    const Route* route = nullptr; ///< who answers; found by prepare()
    std::string argument;         ///< what follows the route's path, percent-decoded
    std::vector<std::pair<std::string, std::string>> parameters;
    std::string body;
    Instant now{};
    std::string fresh_id; ///< a UUID, should one be needed

    /// A blocking query: answer once the index has passed this. Zero: at once.
    std::uint64_t index = 0;
    Duration wait{};
    /// As index, for answers that are compared by content.
    std::string hash;
    std::optional<Filter> filter; ///< read once, however often a blocking query asks again

    bool has(std::string_view name) const;
    /// The first of that name; empty when absent.
    std::string_view parameter(std::string_view name) const;
    std::vector<std::string_view> all(std::string_view name) const;
    /// Whether `?filter=` keeps this row of the answer; without one every row stays.
    bool keeps(const boost::json::value& row) const { return !filter || filter->matches(row); }
    /// Whether a blocking query has to wait on.
    bool waits_past(std::uint64_t current) const { return index != 0 && current <= index; }
};

/// What an endpoint answers.
struct ConsulReply {
    int status = 200;
    std::string body;
    std::string content_type = "application/json"; ///< empty: none is sent
    std::uint64_t index = 0;                       ///< X-Consul-Index; zero: none
    std::string hash;                              ///< X-Consul-ContentHash
    std::string allow;                             ///< Allow, for 405 and OPTIONS
    std::string location;                          ///< Location, for redirects
    bool pending = false;                          ///< a blocking query without news: ask again after a change
    Duration waited{};                             ///< for them
};

ConsulReply reply_json(const boost::json::value& value, std::uint64_t index = 0);
ConsulReply reply_text(int status, std::string text);
/// 200 without content, as most of /v1/agent answers.
ConsulReply reply_nothing();
ConsulReply reply_pending();
/// 503: a limit of this registry is reached; nothing was changed.
ConsulReply reply_full(std::string_view what, std::size_t limit);

/// One path of the API under some of its methods. Several routes may share a path.
struct Route {
    std::string_view path; ///< ends in '/': the rest of the request's path is its argument
    std::vector<Method> methods;
    ConsulReply (*handler)(Stores&, const ConsulRequest&);
    /// The query parameters it takes besides those that every route takes (`dc`, `index`, `wait`, ...). Any other one
    /// is refused, since to ignore it would be to answer another question.
    std::vector<std::string_view> parameters = {};
    /// What `filter`, where it is one of them, may name in the rows of the answer.
    std::span<const FilterField> filter_fields = {};
};

std::span<const Route> agent_routes();
std::span<const Route> catalog_routes();
std::span<const Route> external_routes();
std::span<const Route> transaction_routes();
std::span<const Route> kv_routes();
std::span<const Route> session_routes();

/// The path among those above that serves `path`, which is still encoded; empty: none.
std::string_view route_of(std::string_view path);
/// A parameter that is on when it is there, unless it says otherwise; nullopt: it says something else.
std::optional<bool> read_flag(const ConsulRequest& request, std::string_view name);

/// Whether a node with this metadata is asked for: it has every `?node-meta=key:value`.
bool has_node_meta(const ConsulRequest& request, const std::map<std::string, std::string>& meta);

/// Finds who answers a (still encoded) path below /v1/ and reads what all routes take from the query. nullopt: go on
/// with answer(); otherwise what to refuse the request with.
std::optional<ConsulReply> prepare(ConsulRequest& request, std::string_view path);
/// Requires: prepare(). Thread-safety: that of the stores.
ConsulReply answer(Stores& stores, const ConsulRequest& request);

} // namespace flotilla::hub::consul
