#include "gateway/core/pipeline.hpp"

#include <flotilla/http/attempts.hpp>
#include <flotilla/http/problem.hpp>

namespace flotilla::gateway {
namespace {

constexpr int kClientGone = 499;

} // namespace

Pipeline::Pipeline(World& world, std::shared_ptr<const RouteTable> routes, Proxy& proxy, Composer& composer,
                   Recorder& recorder, OwnPages& own_pages, LoadShedder& shedder, Telemetry& telemetry)
    : world_(world), routes_(std::move(routes)), proxy_(proxy), composer_(composer), recorder_(recorder),
      own_pages_(own_pages), shedder_(shedder), log_(telemetry.log) {}

// The order in which a request passes:
//  1. server       (http/server_connection.cpp) limits, deadline and trace context: nothing below runs without them
//  2. path         (gateway/core/path.cpp: normalise_path) once, before anything looks at it: what is matched is what
//                  is sent on
//  3. own pages    (node/own_pages.cpp: own_pages_.answer) /livez, /readyz, /healthz and /metrics answer whatever the
//                  state of the rest
//  4. request id   (gateway/core/forwarding.cpp: is_request_id) before anything that logs or answers
//  5. recording    (gateway/core/recorder.cpp: recorder_.begin, recorder_.end) access log and metrics see every
//                  outcome, also those of the steps that refuse
//  6. hops         (gateway/core/forwarding.cpp: max_forwards, check_loop) what has come to its end, or goes in a
//                  circle, is not sent on
//  7. routing      (gateway/core/route_table.cpp: routes_->find) 400, 404 and 405 before a body is read and before
//                  any upstream hears of it
//  8. criticality  (http/server_exchange.cpp: exchange.limit_criticality) is the route's; a client may only lower it,
//                  and what it says of tries before (http/attempts.hpp: http::forget_attempts) is not believed
//  9. shedding     (node/load_shedder.cpp: shedder_.admit) what waited past its deadline, or comes when the loop cannot
//                  keep up, is not begun
// 10. the end      (http/problem.cpp: respond_options) of an OPTIONS request that goes no further
// 11. limits       (http/server_exchange.cpp: exchange.limit_body, exchange.limit_time) the route's own ones of body
//                  and time replace the server's; 413 before any upstream hears of it
// 12. the action   (gateway/core/proxy.cpp: proxy_.forward) or (gateway/core/composition.cpp: composer_.answer)
// 13. errors       (http/problem.cpp: problem_json) whatever failed in 6 to 12 becomes problem+json here; how a
//                  composition says that a part of it failed is an answer of its own, and so are the pages of 3
task<void> Pipeline::handle(Context& context, http::Exchange& exchange) {
    State state;
    normalise(exchange, state);
    if (state.own == OwnPage::page) co_return co_await own_pages_.answer(context, exchange, state.facts.path);
    identify(exchange, state);

    const auto begin = world_.monotonic();
    TimeSpent spent(world_);
    const TimeSpent::Attachment accounted(context, recorder_.accounts() ? &spent : nullptr);
    recorder_.begin();

    Result<int> status = 0;
    auto routed = count_hops(exchange, state);
    if (routed) routed = route(exchange, state);
    if (routed) routed = admit(context, exchange, state);
    if (!routed) {
        status = std::move(routed.error());
    } else {
        try {
            status = co_await act(context, exchange, state);
        } catch (const std::exception& bug) {
            log_.error(context, "handling a request threw", {{"what", bug.what()}, {"request_id", state.facts.id}});
            status = Error(Kind::internal, "internal error");
        }
    }
    std::optional<Error> error;
    if (!status) {
        error = status.error();
        status = co_await answer_error(context, exchange, state, *error);
    }
    recorder_.end(context, exchange, state.facts.id, state.target, *status, world_.monotonic() - begin, spent,
                  error ? &*error : nullptr);
}

void Pipeline::identify(const http::Exchange& exchange, State& state) {
    const auto given = exchange.request().headers.get("x-request-id");
    if (given && is_request_id(*given)) {
        state.facts.id = *given;
    } else {
        state.facts.id = state.new_id.emplace(new_id(world_));
    }
}

void Pipeline::normalise(const http::Exchange& exchange, State& state) {
    const auto path = exchange.request().path();
    if (path == "*") { // OPTIONS * asks the gateway itself
        state.facts.path = path;
        state.own = OwnPage::page;
    } else if (auto normal = normalise_path(path, state.path_buffer)) {
        state.facts.path = *normal;
        state.own = own_page(*normal);
    } else {
        state.path_valid = std::move(normal.error());
    }
}

Result<void> Pipeline::count_hops(const http::Exchange& exchange, State& state) {
    const auto& request = exchange.request();
    if (request.method == Method::options) {
        auto hops = max_forwards(request.headers);
        if (!hops) return std::move(hops.error());
        state.is_last = *hops == 0u;
        if (*hops && !state.is_last) state.facts.hops_left = **hops - 1;
    }
    return check_loop(request.headers);
}

Result<void> Pipeline::route(const http::Exchange& exchange, State& state) {
    const auto& request = exchange.request();
    if (request.method_name == "CONNECT") return Error(Kind::unimplemented, "the gateway opens no tunnels");
    if (!state.path_valid) return std::move(state.path_valid);
    // TRACE would show what the gateway adds, to whoever may send one (RFC 9110 §9.3.8).
    if (request.method_name == "TRACE") return Error(Kind::method_not_allowed, "the gateway does not answer TRACE");
    if (state.own == OwnPage::disguised) return Error(Kind::not_found, "Not found");
    auto found = routes_->find(request.method, request.authority, state.facts.path);
    if (found) {
        state.target = *found;
    } else if (!state.is_last || found.error().kind() != Kind::method_not_allowed) {
        return std::move(found.error());
    }
    return {};
}

Result<void> Pipeline::admit(Context& context, http::Exchange& exchange, const State& state) {
    // Without a target it is an OPTIONS request that ends here.
    exchange.limit_criticality(state.target ? routes_->targets()[*state.target].criticality : Criticality::normal);
    http::forget_attempts(context);
    return shedder_.admit(context);
}

task<Result<int>> Pipeline::act(Context& context, http::Exchange& exchange, const State& state) {
    if (state.is_last) co_return co_await answer_options(context, exchange, state);
    const auto& target = routes_->targets()[*state.target];
    co_await must(exchange.limit_body(target.body_bytes_max));
    if (target.timeout) exchange.limit_time(*target.timeout);
    if (const auto* proxied = std::get_if<ProxyAction>(&target.action)) {
        co_return co_await proxy_.forward(context, exchange, state.facts, *proxied);
    }
    co_return co_await composer_.answer(context, exchange, state.facts, std::get<CompositionAction>(target.action));
}

/// As the last recipient of an OPTIONS request (RFC 9110 §7.6.2).
task<Result<int>> Pipeline::answer_options(Context& context, http::Exchange& exchange, const State& state) {
    const auto allowed = routes_->allowed(exchange.request().authority, state.facts.path);
    auto sent = co_await http::respond_options(context, exchange, allowed);
    if (!sent) co_return Error(Kind::cancelled, "client_gone", "the client has gone: " + sent.error().message());
    co_return 204;
}

task<int> Pipeline::answer_error(Context& context, http::Exchange& exchange, const State& state, Error error) {
    if (exchange.responded()) {
        exchange.reset(); // half an answer must not look whole
        co_return error.kind() == Kind::cancelled ? kClientGone : http::status_of(error);
    }
    if (error.kind() == Kind::cancelled) {
        exchange.reset();
        co_return kClientGone;
    }
    if (error.kind() == Kind::internal) {
        log_.error(context, "a request failed", {{"error", error.message()}, {"request_id", state.facts.id}});
    }
    http::ResponseHead head;
    head.status = http::status_of(error);
    const bool method_refused = error.kind() == Kind::method_not_allowed && !state.facts.path.empty();
    const auto allowed =
        method_refused ? routes_->allowed(exchange.request().authority, state.facts.path) : std::string();
    http::add_problem_headers(head.headers, error, allowed);
    head.headers.add("x-request-id", state.facts.id);
    const auto body = http::problem_json(error, exchange.request().path(), context.trace.trace_id_hex());

    auto sent = co_await exchange.respond(context, head, body);
    if (!sent) exchange.reset();
    co_return sent ? head.status : kClientGone;
}

} // namespace flotilla::gateway
