#include <flotilla/service/request_pipeline.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

#include <flotilla/http/problem.hpp>
#include <flotilla/service/binding.hpp>
#include <flotilla/service/requests_in_flight.hpp>

namespace flotilla {
namespace {

constexpr std::size_t kIdempotencyKeyBytesMax = 255;

std::string sha256_hex(std::initializer_list<std::string_view> pieces) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    bool ok = hash && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1;
    for (const auto piece : pieces)
        ok = ok && EVP_DigestUpdate(hash.get(), piece.data(), piece.size()) == 1;
    ok = ok && EVP_DigestFinal_ex(hash.get(), digest.data(), &size) == 1;
    if (!ok) throw std::runtime_error("SHA-256 is not available in this OpenSSL");
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(size * 2);
    for (unsigned i = 0; i < size; ++i) {
        text += kDigits[digest[i] >> 4];
        text += kDigits[digest[i] & 15];
    }
    return text;
}

bool is_health_path(std::string_view path) {
    return path == "/livez" || path == "/readyz" || path == "/healthz" || path == "/metrics";
}

} // namespace

RequestPipeline::RequestPipeline(World& world, Process& process, const HostOptions& options, const HealthChecks& health)
    : world_(world), process_(process), options_(options), health_(health), unmatched_{nullptr, "", {}},
      active_requests_(process.metrics.gauge("http_server_active_requests", "Requests being handled right now.")) {}

void RequestPipeline::add(std::unique_ptr<detail::EndpointHandler> handler) {
    const auto& info = handler->info;
    auto added = router_.add(info.method, info.path, routes_.size());
    if (!added) throw std::logic_error(added.error().message());
    std::string pattern(info.path);
    routes_.push_back({std::move(handler), std::move(pattern), {}});
}

// The order in which a request passes:
//  1. server      (http/server.cpp) limits, deadline and trace context: nothing below runs without them
//  2. measuring   sees every outcome, also those of the steps that refuse
//  3. health      /livez, /readyz, /metrics answer whatever the state of the rest
//  4. routing     404 and 405 before a body is read
//  5. idempotency a repeated request is answered from the record, before validation could change its mind
//  6. binding     names, types and bounds of the request, all errors at once
//  7. the service's method
//  8. errors      every failure becomes problem+json here and nowhere else
task<void> RequestPipeline::handle(Context& context, http::Exchange& exchange) {
    const auto begin = world_.monotonic();
    const auto path = exchange.request().path();
    if (is_health_path(path)) {
        auto sent = co_await answer_health(context, exchange, path);
        if (!sent) exchange.reset();
        co_return;
    }
    active_requests_.add(1);
    auto match = router_.match(exchange.request().method, path);
    Route* route = match ? &routes_[match->value] : &unmatched_;
    int status = 200;
    Result<void> sent;
    if (match) {
        try {
            sent = co_await answer(context, exchange, *match);
        } catch (const std::exception& bug) {
            process_.log.error(context, "a handler threw", {{"route", route->pattern}, {"what", bug.what()}});
            sent = Error(Kind::internal, "internal error");
        }
        if (sent) status = route->handler->info.options.success;
    } else {
        sent = std::move(match.error());
    }
    if (!sent) {
        status = http_status(sent.error().kind());
        if (exchange.responded()) {
            exchange.reset();
        } else {
            if (sent.error().kind() == Kind::internal) {
                process_.log.error(context, "a request failed",
                                   {{"route", route->pattern}, {"error", sent.error().message()}});
            }
            auto answered = co_await http::respond_error(context, exchange, sent.error(), router_.allowed(path));
            if (!answered) exchange.reset();
        }
    }
    active_requests_.add(-1);
    record(context, exchange, route, status, begin);
}

task<Result<void>> RequestPipeline::answer(Context& context, http::Exchange& exchange,
                                           const http::Router::Match& match) {
    std::string body;
    const auto& info = routes_[match.value].handler->info;
    if (has_body(info)) body = co_await must(exchange.read_all(context, http::ServerOptions{}.body_bytes_max));
    const auto key = info.options.idempotent ? exchange.request().headers.get("idempotency-key") : std::nullopt;
    Answer answer;
    if (key) {
        answer = co_await must(call_once(context, exchange, match, std::move(body), std::string(*key)));
    } else {
        answer = co_await must(call(context, exchange, match, std::move(body)));
    }
    http::ResponseHead head{.status = answer.status};
    if (!answer.body.empty()) head.headers.add("content-type", "application/json");
    if (answer.replayed) head.headers.add("idempotency-replayed", "true");
    co_return co_await exchange.respond(context, head, answer.body);
}

task<Result<RequestPipeline::Answer>> RequestPipeline::call(Context& context, http::Exchange& exchange,
                                                            const http::Router::Match& match, std::string body) {
    auto& handler = *routes_[match.value].handler;
    auto json = co_await must(handler.handle(context, match.parameters, exchange.request(), body));
    int status = handler.info.options.success;
    if (json.empty() && status == 200) status = 204;
    co_return Answer{status, std::move(json)};
}

task<Result<RequestPipeline::Answer>> RequestPipeline::call_once(Context& context, http::Exchange& exchange,
                                                                 const http::Router::Match& match, std::string body,
                                                                 std::string key) {
    const auto& info = routes_[match.value].handler->info;
    if (key.empty() || key.size() > kIdempotencyKeyBytesMax) {
        co_return Error(Kind::invalid, "invalid_idempotency_key", "Idempotency-Key must have 1 to 255 characters");
    }
    if (!database_) throw std::logic_error("an idempotent endpoint needs host.database()");
    std::string endpoint = std::string(name(info.method)) + " " + std::string(info.path);
    IdempotentRequest request{.endpoint = endpoint,
                              .caller = context.principal.subject,
                              .key = key,
                              .request_hash = sha256_hex({exchange.request().target, "\n", body}),
                              .response = info.response};
    auto entry = process_.in_flight->enter(endpoint + "\n" + request.caller + "\n" + key);
    if (!entry) {
        co_return Error(Kind::conflict, "idempotency_key_in_use",
                        "a request with this Idempotency-Key is being handled; try again")
            .with_retry_after(std::chrono::seconds(1));
    }
    auto recorded = co_await must(find_recorded_response(context, *database_, request));
    if (recorded) co_return Answer{info.options.success, std::move(*recorded), true};
    context.idempotent_request = &request;
    auto answer = co_await call(context, exchange, match, std::move(body));
    context.idempotent_request = nullptr;
    if (answer && !request.recorded) {
        throw std::logic_error(endpoint +
                               " is declared idempotent, but no transaction of it returned its response type");
    }
    co_return answer;
}

task<Result<void>> RequestPipeline::answer_health(Context& context, http::Exchange& exchange, std::string_view path) {
    http::ResponseHead head;
    std::string body;
    if (path == "/metrics") {
        head.headers.add("content-type", "text/plain; version=0.0.4; charset=utf-8");
        body = process_.metrics.prometheus_text();
    } else {
        head.headers.add("content-type", "application/json");
        head.headers.add("cache-control", "no-store");
        HealthReport report{.status = "ok"};
        if (path != "/livez") report = health_.report(draining_);
        report.service = options_.service;
        report.instance = instance_;
        report.version = options_.version;
        const bool failed = path == "/healthz" ? report.status != "ok" : report.status == "unavailable";
        if (failed) head.status = 503;
        body = json::write(report);
    }
    co_return co_await exchange.respond(context, head, body);
}

void RequestPipeline::record(const Context& context, const http::Exchange& exchange, Route* route, int status,
                             Instant begin) {
    const auto& request = exchange.request();
    const auto taken = world_.monotonic() - begin;
    duration(*route, request.method, status).observe(taken);
    const bool sampled = ++served_ % static_cast<std::uint64_t>(std::max(options_.access_log_sample, 1)) == 0;
    if (!sampled && status < 500 && taken < options_.slow_request) return;
    process_.log.info(context, "request",
                      {{"method", request.method_name},
                       {"path", request.path()},
                       {"status", status},
                       {"duration_ms", std::chrono::duration<double, std::milli>(taken).count()}});
}

Histogram& RequestPipeline::duration(Route& route, Method method, int status) {
    for (const auto& [known, histogram] : route.durations) {
        if (known == status) return *histogram;
    }
    const auto method_label = route.handler ? name(route.handler->info.method) : name(method);
    auto& made = process_.metrics.histogram(
        "http_server_request_duration_seconds", "Duration of HTTP server requests.",
        {{"http_request_method", method_label.empty() ? "_OTHER" : std::string(method_label)},
         {"http_route", route.pattern},
         {"http_response_status_code", std::to_string(status)}});
    route.durations.emplace_back(status, &made);
    return made;
}

} // namespace flotilla
