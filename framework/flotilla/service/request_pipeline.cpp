#include <flotilla/service/request_pipeline.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <limits>
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
    std::string text(2 * std::size_t{size}, '\0');
    write_hex(std::span(digest).first(size), text.data());
    return text;
}

constexpr auto kOwnPage = std::numeric_limits<std::size_t>::max(); ///< what the router has for them

/// What of a request's path is below the prefix of "/prefix/{file...}". By segments: the path may be encoded.
std::string_view below(std::string_view pattern, std::string_view path) {
    for (auto segments = std::ranges::count(pattern, '/') - 1; segments > 0 && !path.empty(); --segments)
        path.remove_prefix(std::min(path.find('/', 1), path.size()));
    return path;
}

/// Counts a request while it is handled.
class ActiveRequest {
public:
    explicit ActiveRequest(Gauge& gauge) : gauge_(gauge) { gauge_.add(1); }
    ActiveRequest(const ActiveRequest&) = delete;
    ActiveRequest& operator=(const ActiveRequest&) = delete;
    ~ActiveRequest() { gauge_.add(-1); }

private:
    Gauge& gauge_;
};

/// Hangs an idempotent request on a context, for transactions to find, while it is called.
class Attached {
public:
    Attached(Context& context, IdempotentRequest& request) : context_(context) {
        context_.idempotent_request = &request;
    }
    Attached(const Attached&) = delete;
    Attached& operator=(const Attached&) = delete;
    ~Attached() { context_.idempotent_request = nullptr; }

private:
    Context& context_;
};

} // namespace

RequestPipeline::RequestPipeline(World& world, Process& process, const HostOptions& options, OwnPages& pages)
    : world_(world), process_(process), options_(options), own_pages_(pages),
      unmatched_{.handler = nullptr, .durations = {process.metrics, ""}},
      active_requests_(process.metrics.gauge("http_server_active_requests", "Requests being handled right now.")),
      slow_(world, process.metrics, process.log, options.slow_request) {
    // Routed as everything else is, so that nothing reads their paths in another way.
    for (const auto& page : pages.paths()) {
        if (auto added = router_.add(std::nullopt, page, kOwnPage); !added)
            throw std::logic_error(added.error().message());
    }
}

void RequestPipeline::add(std::unique_ptr<detail::EndpointHandler> handler) {
    const auto& info = handler->info;
    std::string pattern(info.path);
    if (own_pages_.has(pattern)) throw std::logic_error(pattern + " is a page of the framework");
    auto added = router_.add(info.method, pattern, routes_.size());
    if (!added) throw std::logic_error(added.error().message());
    routes_.push_back({.handler = std::move(handler), .durations = {process_.metrics, std::move(pattern)}});
}

void RequestPipeline::add(std::string_view prefix, http::StaticContent files) {
    if (!prefix.starts_with('/') || prefix.contains('{') || (prefix.size() > 1 && prefix.ends_with('/')))
        throw std::logic_error("files are served under a prefix such as /ui, not " + std::string(prefix));
    const std::string base(prefix == "/" ? "" : prefix);
    for (const auto& pattern : {base, base + "/", base + "/{file...}"}) {
        auto added = pattern.empty() ? Result<void>() : router_.add(Method::get, pattern, routes_.size());
        if (!added) throw std::logic_error(added.error().message());
    }
    routes_.push_back(
        {.handler = nullptr, .durations = {process_.metrics, base + "/{file...}"}, .files = std::move(files)});
}

std::vector<const EndpointInfo*> RequestPipeline::endpoints() const {
    std::vector<const EndpointInfo*> endpoints;
    for (const auto& route : routes_)
        if (route.handler) endpoints.push_back(&route.handler->info);
    return endpoints;
}

// The order in which a request passes:
//  1. server      (http/server.cpp) limits, deadline and trace context: nothing below runs without them
//  2. routing     404 and 405 before a body is read
//  3. own pages   health, /metrics and the contracts answer whatever the state of the rest, and do not count
//  4. measuring   sees every outcome, also those of the steps that refuse
//  5. limits      the endpoint's own ones of body and time replace the server's; 413 before a body is read
//  6. idempotency a repeated request is answered from the record, before validation could change its mind
//  7. binding     names, types and bounds of the request, all errors at once
//  8. the service's method
//  9. errors      every failure becomes problem+json in refuse() and nowhere else
task<void> RequestPipeline::handle(Context& context, http::Exchange& exchange) {
    const auto begin = world_.monotonic();
    auto match = router_.match(exchange.request().method, exchange.request().path());
    if (match && match->value == kOwnPage) {
        co_await own_pages_.answer(context, exchange, match->pattern);
        co_return;
    }
    const ActiveRequest active(active_requests_);
    TimeSpent spent(world_);
    const TimeSpent::Attachment accounted(context, slow_.enabled() ? &spent : nullptr);
    Route& route = match ? routes_[match->value] : unmatched_;
    std::optional<Error> failure;
    const int status = co_await answer(context, exchange, route, std::move(match), failure);
    record(context, exchange, route, status, world_.monotonic() - begin, spent, failure);
}

/// Answers, one way or the other; returns the status. `failure` gets what went wrong.
task<int> RequestPipeline::answer(Context& context, http::Exchange& exchange, Route& route,
                                  Result<http::Router::Match> match, std::optional<Error>& failure) {
    if (!match) {
        std::string allow;
        if (exchange.request().target == "*")
            co_return co_await answer_options(context, exchange, std::string(http::kServerMethods));
        if (match.error().kind() == Kind::method_not_allowed) allow = router_.allowed(exchange.request().path());
        if (!allow.empty() && exchange.request().method == Method::options)
            co_return co_await answer_options(context, exchange, std::move(allow));
        co_return co_await refuse(context, exchange, route, std::move(match.error()), std::move(allow), failure);
    }
    auto served = co_await serve_guarded(context, exchange, *match);
    if (served) co_return *served;
    co_return co_await refuse(context, exchange, route, std::move(served.error()), {}, failure);
}

/// The one place that catches what a service throws.
task<Result<int>> RequestPipeline::serve_guarded(Context& context, http::Exchange& exchange,
                                                 const http::Router::Match& match) {
    try {
        co_return co_await serve(context, exchange, match);
    } catch (const std::exception& bug) {
        co_return Error(Kind::internal, std::string("the handler threw: ") + bug.what());
    } catch (...) {
        co_return Error(Kind::internal, "the handler threw something that is no std::exception");
    }
}

task<Result<int>> RequestPipeline::serve(Context& context, http::Exchange& exchange, const http::Router::Match& match) {
    const auto& route = routes_[match.value];
    if (!route.files) return serve_endpoint(context, exchange, match);
    return route.files->answer(context, exchange, below(route.durations.route(), exchange.request().path()));
}

task<Result<int>> RequestPipeline::serve_endpoint(Context& context, http::Exchange& exchange,
                                                  const http::Router::Match& match) {
    std::string body;
    const auto& info = routes_[match.value].handler->info;
    co_await must(exchange.limit_body(body_bytes_max(info.options)));
    if (info.options.timeout > Duration::zero()) exchange.limit_time(info.options.timeout);
    if (has_body(info)) body = co_await must(exchange.read_all(context));
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
    co_await must(exchange.respond(context, head, answer.body));
    co_return answer.status;
}

std::uint64_t RequestPipeline::body_bytes_max(const EndpointOptions& endpoint) const {
    return endpoint.body_bytes_max > 0 ? endpoint.body_bytes_max : options_.body_bytes_max;
}

/// A response type without fields has no content, whether it was made now or is read from the record.
RequestPipeline::Answer RequestPipeline::answer_of(const EndpointInfo& info, std::string json, bool replayed) {
    return {success_status(info), has_content(info) ? std::move(json) : std::string(), replayed};
}

task<Result<RequestPipeline::Answer>> RequestPipeline::call(Context& context, http::Exchange& exchange,
                                                            const http::Router::Match& match, std::string body) {
    auto& handler = *routes_[match.value].handler;
    auto json = co_await must(handler.handle(context, match.parameters, exchange, body));
    co_return answer_of(handler.info, std::move(json), false);
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
    if (recorded) co_return answer_of(info, std::move(*recorded), true);
    const Attached attached(context, request);
    auto answer = co_await call(context, exchange, match, std::move(body));
    if (answer && !request.recorded) {
        throw std::logic_error(endpoint +
                               " is declared idempotent, but no transaction of it returned its response type");
    }
    co_return answer;
}

task<int> RequestPipeline::refuse(Context& context, http::Exchange& exchange, const Route& route, Error error,
                                  std::string allow, std::optional<Error>& failure) {
    if (error.kind() != Kind::internal) failure = error; // which has a line of its own
    constexpr int kClientClosedRequest = 499;
    if (error.kind() == Kind::internal) {
        process_.log.error(context, "a request failed",
                           {{"route", route.durations.route()}, {"error", error.message()}});
    }
    if (exchange.responded()) { // the answer did not get through: mostly the peer has gone
        exchange.reset();
        co_return error.kind() == Kind::internal ? http::status_of(error) : kClientClosedRequest;
    }
    // Past its deadline whatever went wrong went wrong because of it; what the request itself has wrong stays true.
    const bool outcome_of_lateness = context.cancelled() && http::status_of(error) >= kClientClosedRequest;
    if (outcome_of_lateness && error.kind() != context.reason().kind()) error = context.reason();
    const int status = http::status_of(error);
    auto answered = co_await http::respond_error(context, exchange, error, allow);
    if (!answered) exchange.reset();
    co_return answered ? status : kClientClosedRequest;
}

task<int> RequestPipeline::answer_options(Context& context, http::Exchange& exchange, std::string allow) {
    auto answered = co_await http::respond_options(context, exchange, allow);
    if (!answered) exchange.reset();
    co_return 204;
}

void RequestPipeline::record(const Context& context, const http::Exchange& exchange, Route& route, int status,
                             Duration taken, const TimeSpent& spent, const std::optional<Error>& failure) {
    const auto& request = exchange.request();
    route.durations.observe(request.method, status, taken);
    const bool sampled = ++served_ % static_cast<std::uint64_t>(std::max(options_.access_log_sample, 1)) == 0;
    const bool slow = slow_.is_slow(taken);
    const auto level = status >= 500 ? LogLevel::warning : LogLevel::info;
    if (!slow && (!process_.log.enabled(level) || (!sampled && status < 500))) return;
    const std::array<LogField, 6> all{LogField{"method", request.method_name},
                                      {"path", request.path()},
                                      {"route", route.durations.route()},
                                      {"status", status},
                                      {"duration_ms", log_ms(taken)},
                                      // Last, and left out when there is none.
                                      {"error", failure ? std::string_view(failure->message()) : std::string_view()}};
    const auto fields = std::span(all).first(failure ? all.size() : all.size() - 1);
    if (slow && slow_.note(context, taken, spent, fields)) return;
    if (sampled || status >= 500) process_.log.write(level, &context.trace, "request", fields);
}

} // namespace flotilla
