#include <flotilla/service/request/refusal.hpp>

#include <flotilla/http/problem.hpp>

namespace flotilla {
namespace {

constexpr int kClientClosedRequest = 499;

} // namespace

task<int> refuse(Context& context, http::Exchange& exchange, const Routes& routes, const MatchedRoute& matched,
                 Error error, const Logger& log, std::optional<Error>& failure) {
    if (error.kind() == Kind::internal) {
        log.error(context, "a request failed", {{"route", matched.route.pattern()}, {"error", error.message()}});
    } else {
        failure = error;
    }
    if (exchange.responded()) { // the answer did not get through: mostly the peer has gone
        exchange.reset();
        co_return error.kind() == Kind::internal ? http::status_of(error) : kClientClosedRequest;
    }
    std::string allow;
    if (matched.refused && error.kind() == Kind::method_not_allowed) allow = routes.allowed(exchange.request().path());
    // Past its deadline whatever went wrong went wrong because of it; what the request itself has wrong stays true.
    const bool outcome_of_lateness = context.cancelled() && http::status_of(error) >= kClientClosedRequest;
    if (outcome_of_lateness && error.kind() != context.reason().kind()) error = context.reason();
    const int status = http::status_of(error);
    auto answered = co_await http::respond_error(context, exchange, error, allow);
    if (!answered) exchange.reset();
    co_return answered ? status : kClientClosedRequest;
}

task<int> answer_options(Context& context, http::Exchange& exchange, std::string allow) {
    auto answered = co_await http::respond_options(context, exchange, allow);
    if (!answered) exchange.reset();
    co_return 204;
}

} // namespace flotilla
