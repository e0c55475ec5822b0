#include <flotilla/service/request_steps.hpp>

#include <algorithm>

#include <flotilla/http/problem.hpp>
#include <flotilla/service/binding.hpp>
#include <flotilla/service/request/limits.hpp>
#include <flotilla/service/request/refusal.hpp>

namespace flotilla {
namespace {

/// What of a request's path is below the prefix of "/prefix/{file...}". By segments: the path may be encoded.
std::string_view below(std::string_view pattern, std::string_view path) {
    for (auto segments = std::ranges::count(pattern, '/') - 1; segments > 0 && !path.empty(); --segments)
        path.remove_prefix(std::min(path.find('/', 1), path.size()));
    return path;
}

} // namespace

RequestSteps::RequestSteps(World& world, Telemetry& telemetry, RequestsInFlight& in_flight, const HostOptions& options,
                           OwnPages& own_pages, std::string loop)
    : log_(telemetry.log), body_bytes_max_(options.body_bytes_max), own_pages_(own_pages),
      routes_(telemetry.metrics, own_pages.paths()), recorder_(world, telemetry, options),
      shedder_(world, telemetry, options.node.shed_after, std::move(loop)), keys_(in_flight, telemetry.log) {}

// The order in which a request passes:
//  1. server       (http/server_connection.cpp) limits, deadline and trace context: nothing below runs without them
//  2. routing      (service/request/routes.cpp: routes_.match) once, before a body is read; each step is handed what
//                  was found
//  3. own pages    (node/own_pages.cpp: own_pages_.answer) health, /metrics and the contracts answer whatever the
//                  state of the rest, and do not count
//  4. recording    (service/request/recording.cpp: Recording, recording.end) sees every outcome, also those of the
//                  steps that refuse
//  5. shedding     (node/load_shedder.cpp: shedder_.admit) what waited past its deadline, or comes when the loop cannot
//                  keep up, is not begun
//  6. faults       (service/request/faults.cpp: faults_.strike) put in by ./flotilla chaos: recorded as any other
//                  outcome, and never met by an own page
//  7. OPTIONS      (service/request/refusal.cpp: answer_options) says what may be asked of a path
//  8. files        (http/static_content.cpp: files->answer) are answered as they lie there
//  9. limits       (service/request/limits.cpp: apply_limits) the endpoint's own ones of body and time replace the
//                  server's; 413 before a body is read
// 10. the edge     (service/request/http_edge.cpp: HttpEdge, edge.respond) reads the request and writes the response
//                  as HTTP has them; a version that the client has already is 304
// 11. idempotency  (service/request/idempotency.cpp: keys_.call) a repeated request is answered from the record,
//                  before validation could change its mind
// 12. the endpoint (service/endpoint_core.hpp: endpoint.call) names, types and bounds of the request, all errors at
//                  once; then the service's method
// 13. refusal      (service/request/refusal.cpp: refuse) whatever failed in 4 to 12, thrown or returned, becomes
//                  problem+json
task<void> RequestSteps::handle(Context& context, http::Exchange& exchange) {
    auto matched = routes_.match(exchange.request());
    if (!matched.own_page.empty()) co_return co_await own_pages_.answer(context, exchange, matched.own_page);
    Recording recording(recorder_, context);
    Result<int> status = 0;
    try {
        const auto admitted = shedder_.admit(context);
        status = admitted ? co_await serve(context, exchange, matched) : Result<int>(admitted.error());
    } catch (const std::exception& bug) {
        status = Error(Kind::internal, std::string("the handler threw: ") + bug.what());
    } catch (...) {
        status = Error(Kind::internal, "the handler threw something that is no std::exception");
    }
    std::optional<Error> failure;
    if (!status)
        status = co_await refuse(context, exchange, routes_, matched, std::move(status.error()), log_, failure);
    recording.end(context, exchange, matched, *status, failure);
}

task<Result<int>> RequestSteps::serve(Context& context, http::Exchange& exchange, MatchedRoute& matched) {
    if (faults_.any()) co_await must(faults_.strike(context));
    const auto& request = exchange.request();
    if (matched.refused) {
        if (request.target == "*")
            co_return co_await answer_options(context, exchange, std::string(http::kServerMethods));
        const bool known = matched.refused->kind() == Kind::method_not_allowed;
        if (known && request.method == Method::options)
            co_return co_await answer_options(context, exchange, routes_.allowed(request.path()));
        co_return std::move(*matched.refused);
    }
    if (matched.route.files) {
        co_return co_await matched.route.files->answer(context, exchange,
                                                       below(matched.route.pattern(), request.path()));
    }
    co_return co_await serve_endpoint(context, exchange, matched);
}

task<Result<int>> RequestSteps::serve_endpoint(Context& context, http::Exchange& exchange,
                                               const MatchedRoute& matched) {
    auto& endpoint = *matched.route.endpoint;
    const auto& info = endpoint.info;
    co_await must(apply_limits(exchange, info.options, body_bytes_max_));
    std::string body;
    if (has_body(info)) body = co_await must(exchange.read_all(context));
    HttpEdge edge(info, exchange, matched.parameters, std::move(body));
    const auto key = info.options.idempotent ? edge.request().headers.get("idempotency-key") : std::nullopt;
    if (key) {
        co_await must(keys_.call(context, endpoint, edge, std::string(*key)));
    } else {
        co_await must(endpoint.call(context, edge));
    }
    co_return co_await edge.respond(context);
}

} // namespace flotilla
