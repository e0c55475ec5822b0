#include <flotilla/service/client.hpp>

#include <algorithm>

#include <flotilla/http/problem.hpp>
#include <flotilla/service/binding.hpp>

namespace flotilla {
namespace {

// How long a call waits for the registry's first answer about a service of which nothing is known.
constexpr Duration kResolveTimeout = std::chrono::seconds(2);
constexpr Duration kUnreachableLogInterval = std::chrono::seconds(1);

/// Rather than the caller's, or that of the source of its body. These codes are few: metrics carry them.
bool is_instances_fault(const Error& error) {
    return error.code() == name(Kind::deadline_exceeded) ||
           std::ranges::find(http::kServerFailures, error.code()) != http::kServerFailures.end();
}

} // namespace

Client::Client(Service service, Registry& registry, http::Client& http, std::string this_host, Metrics& metrics,
               Logger log)
    : service_(service), registry_(registry), http_(http), this_host_(std::move(this_host)), metrics_(metrics),
      log_(std::move(log)) {}

http::Client::Load Client::load() const {
    http::Client::Load sum;
    for (const auto& instance : *registry_.instances(service_.name))
        sum += http_.load(instance.best_address(this_host_));
    return sum;
}

Error Client::broken_answer(const EndpointInfo& endpoint, const Error& why) const {
    return Error(Kind::bad_gateway, "broken_answer",
                 std::string(service_.name) + " answered " + std::string(name(endpoint.method)) + " " +
                     std::string(endpoint.path) + " with something else than its contract says: " + why.message());
}

task<Result<Instances>> Client::known_instances(Context& context) {
    Context waiting(context, kResolveTimeout);
    auto instances = co_await registry_.resolve(waiting, std::string(service_.name));
    if (instances || context.cancelled()) co_return instances;
    co_return Error(Kind::unavailable, "no_instance", "no instance of " + std::string(service_.name) + " is known")
        .with_retry_after(std::chrono::seconds(1));
}

void Client::note_failure(const Context& context, const EndpointInfo& endpoint, const Instance& instance,
                          const Error& error) {
    metrics_
        .counter("http_client_failed_requests_total", "Calls of an instance that ended without an answer.",
                 {{"upstream", std::string(service_.name)}, {"reason", error.code()}})
        .add();
    if (error.code() == "connect_failed") { // the same for every call until it is back
        const auto now = context.world().monotonic();
        if (unreachable_logged_ != Instant{} && now < unreachable_logged_ + kUnreachableLogInterval) return;
        unreachable_logged_ = now;
    }
    log_.warning(context, "an instance gave no usable answer",
                 {{"upstream", service_.name},
                  {"instance", instance.id},
                  {"call", std::string(name(endpoint.method)) + " " + std::string(endpoint.path)},
                  {"reason", error.code()},
                  {"error", error.message()}});
}

task<Result<std::string>> Client::send(Context& context, const EndpointInfo& endpoint, const void* request,
                                       http::BodySource* streamed) {
    http::OutgoingCall call(context, TimeSpent::On::calls, {name(endpoint.method), " ", service_.name, endpoint.path});
    auto message = make_request(endpoint, request);
    message.head.authority = service_.name;
    message.head.headers.add("accept", "application/json");
    if (endpoint.options.idempotent) message.head.headers.add("idempotency-key", new_id(context.world()));
    const bool repeatable = is_idempotent(endpoint.method) || endpoint.options.idempotent;

    auto instances = co_await must(registry_.resolve(context, std::string(service_.name)));
    const auto first = turn_++;
    // The only instance gets a second try: a kept connection may have ended just as we used it. A stream of which
    // nothing was sent is safe to repeat whatever it is for.
    const std::size_t tries = repeatable || streamed ? std::max<std::size_t>(instances->size(), 2) : 1;
    Error last(Kind::unavailable, "no_instance", "no healthy instance of " + std::string(service_.name) + " is known");
    std::string before; // what was wrong with those tried before
    for (std::size_t i = 0; i < tries; ++i) {
        const auto& instance = (*instances)[(first + i) % instances->size()];
        auto address = instance.best_address(this_host_);
        auto fetching = streamed ? http_.fetch(call, std::move(address), message.head, *streamed)
                                 : http_.fetch(call, std::move(address), message);
        auto response = co_await std::move(fetching);
        if (response) co_return answer_of(endpoint, std::move(*response));
        if (is_instances_fault(response.error())) note_failure(context, endpoint, instance, response.error());
        last = std::move(response.error()).with_context(before + "calling " + instance.id);
        before = last.message() + "; ";
        const bool unreachable = last.kind() == Kind::unavailable || last.kind() == Kind::bad_gateway;
        if (!unreachable || context.cancelled()) break;
        if (streamed && streamed->taken() && !(repeatable && streamed->rewind())) break;
    }
    co_return last;
}

Result<std::string> Client::answer_of(const EndpointInfo& endpoint, http::Response response) const {
    const int status = response.status();
    if (status >= 400) return http::error_from_problem(response);
    if (status < 200 || status >= 300)
        return broken_answer(endpoint, Error(Kind::bad_gateway, "status " + std::to_string(status)));
    return std::move(response.body);
}

} // namespace flotilla
