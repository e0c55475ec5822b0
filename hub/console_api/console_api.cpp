#include "hub/console_api/console_api.hpp"

#include <stdexcept>

#include <flotilla/base/constrained.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/http/problem.hpp>

namespace flotilla::hub {

namespace {

enum Route : std::size_t { kRoot, kList, kClear, kShow, kRaw };

/// Indexed by Route.
constexpr struct {
    Method method;
    std::string_view pattern;
} kRoutes[] = {{Method::get, "/"},
               {Method::get, "/mail/messages"},
               {Method::delete_, "/mail/messages"},
               {Method::get, "/mail/messages/{id}"},
               {Method::get, "/mail/messages/{id}/raw"}};

struct ListQuery {
    std::string to, before;
    Bounded<int, 1, 1000> limit = 100;
};

struct Deleted {
    std::int64_t deleted;
};

http::Router make_router() {
    http::Router router;
    for (std::size_t i = 0; i < std::size(kRoutes); ++i) {
        if (auto added = router.add(kRoutes[i].method, kRoutes[i].pattern, i); !added)
            throw std::logic_error(added.error().message());
    }
    return router;
}

Result<ListQuery> parse_list_query(std::string_view text) {
    const auto parameters = http::parse_query(text);
    if (!parameters) return Error(Kind::invalid, "invalid_request", "the query has an invalid escape");
    ListQuery query;
    std::vector<FieldError> errors;
    for (const auto& [name, value] : *parameters) {
        if (name == "to") query.to = value;
        if (name == "before") query.before = value;
        if (name != "limit") continue;
        auto set = json::set_from_text(descriptor_of<Bounded<int, 1, 1000>>, &query.limit, value);
        if (!set) errors.push_back({"limit", set.error().message()});
    }
    if (!errors.empty()) return json::invalid_request(std::move(errors));
    return query;
}

Error mail_not_found() { return {Kind::not_found, "mail_not_found", "Mail not found"}; }

} // namespace

task<int> respond_json(Context& context, http::Exchange& exchange, int status, std::string body) {
    http::ResponseHead head;
    head.status = status;
    head.headers.add("Content-Type", "application/json");
    head.headers.add("X-Content-Type-Options", "nosniff");
    (void)co_await exchange.respond(context, head, body); // the peer may have gone
    co_return status;
}

task<int> respond_problem(Context& context, http::Exchange& exchange, Error error, std::string allow) {
    (void)co_await http::respond_error(context, exchange, error, allow); // the peer may have gone
    co_return http::status_of(error);
}

ConsoleApi::ConsoleApi(MailStore& mails, HubDescription description)
    : mails_(mails), description_json_(json::write(description)), router_(make_router()) {}

task<std::optional<Handled>> ConsoleApi::handle(Context& context, http::Exchange& exchange) {
    const auto& request = exchange.request();
    auto match = router_.match(request.method, request.path());
    if (!match) {
        if (match.error().kind() == Kind::not_found) co_return std::nullopt;
        auto allow = router_.allowed(request.path());
        co_return Handled{"", co_await respond_problem(context, exchange, std::move(match.error()), std::move(allow))};
    }
    const auto route = kRoutes[match->value].pattern;
    switch (match->value) {
    case kRoot:
        co_return Handled{route, co_await respond_json(context, exchange, 200, description_json_)};
    case kList:
        co_return Handled{route, co_await list(context, exchange)};
    case kClear:
        co_return Handled{route, co_await clear(context, exchange)};
    case kShow:
        co_return Handled{route, co_await show(context, exchange, std::move(match->parameters.front().second))};
    default:
        co_return Handled{route, co_await raw(context, exchange, std::move(match->parameters.front().second))};
    }
}

task<int> ConsoleApi::list(Context& context, http::Exchange& exchange) {
    auto query = parse_list_query(exchange.request().query());
    if (!query) co_return co_await respond_problem(context, exchange, std::move(query.error()));
    auto mails = co_await mails_.list(context, {query->to, query->limit, query->before});
    if (!mails) co_return co_await respond_problem(context, exchange, std::move(mails.error()));
    co_return co_await respond_json(context, exchange, 200, json::write(*mails));
}

task<int> ConsoleApi::show(Context& context, http::Exchange& exchange, std::string id) {
    auto mail = co_await mails_.find(context, std::move(id));
    if (!mail) co_return co_await respond_problem(context, exchange, std::move(mail.error()));
    if (!*mail) co_return co_await respond_problem(context, exchange, mail_not_found());
    co_return co_await respond_json(context, exchange, 200, json::write(**mail));
}

/// For mail programs: a browser keeps it as a file. What strangers wrote must not become a page of the hub's.
task<int> ConsoleApi::raw(Context& context, http::Exchange& exchange, std::string id) {
    auto bytes = co_await mails_.raw(context, id);
    if (!bytes) co_return co_await respond_problem(context, exchange, std::move(bytes.error()));
    if (!*bytes) co_return co_await respond_problem(context, exchange, mail_not_found());
    http::ResponseHead head;
    head.headers.add("Content-Type", "message/rfc822");
    head.headers.add("Content-Disposition", "attachment; filename=\"" + id + ".eml\"");
    head.headers.add("Content-Security-Policy", "sandbox");
    head.headers.add("X-Content-Type-Options", "nosniff");
    (void)co_await exchange.respond(context, head, **bytes); // the peer may have gone
    co_return head.status;
}

task<int> ConsoleApi::clear(Context& context, http::Exchange& exchange) {
    auto deleted = co_await mails_.clear(context);
    if (!deleted) co_return co_await respond_problem(context, exchange, std::move(deleted.error()));
    co_return co_await respond_json(context, exchange, 200, json::write(Deleted{*deleted}));
}

} // namespace flotilla::hub
