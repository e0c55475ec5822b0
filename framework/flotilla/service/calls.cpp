#include <flotilla/service/calls.hpp>

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

Calls::Calls(Registry& registry, http::Client& http, std::string this_host, Telemetry& telemetry)
    : registry_(registry), http_(http), this_host_(std::move(this_host)), telemetry_(telemetry) {}

void Calls::declare(const Service& service) {
    callees_.try_emplace(std::string(service.name));
    (void)registry_.instances(service.name);
}

void Calls::for_each_load(const std::function<void(const std::string& service, http::Client::Load load)>& visit) const {
    for (const auto& [service, callee] : callees_) {
        http::Client::Load sum;
        for (const auto& instance : *registry_.instances(service))
            sum += http_.load(instance.best_address(this_host_));
        visit(service, sum);
    }
}

Error Calls::broken_answer(const EndpointInfo& endpoint, const Error& why) {
    return Error(Kind::bad_gateway, "broken_answer",
                 std::string(endpoint.service.name) + " answered " + std::string(name(endpoint.method)) + " " +
                     std::string(endpoint.path) + " with something else than its contract says: " + why.message());
}

task<Result<Instances>> Calls::known_instances(Context& context, std::string_view service) {
    if (auto known = registry_.instances(service); !known->empty()) co_return known;
    Context waiting(context, kResolveTimeout);
    auto instances = co_await registry_.resolve(waiting, std::string(service));
    if (instances || context.cancelled()) co_return instances;
    co_return Error(Kind::unavailable, "no_instance", "no instance of " + std::string(service) + " is known")
        .with_retry_after(std::chrono::seconds(1));
}

void Calls::note_failure(const Context& context, const EndpointInfo& endpoint, Callee& callee, const Instance& instance,
                         const Error& error) {
    telemetry_.metrics
        .counter("http_client_failed_requests_total", "Calls of an instance that ended without an answer.",
                 {{"upstream", std::string(endpoint.service.name)}, {"reason", error.code()}})
        .add();
    if (error.code() == "connect_failed") { // the same for every call until it is back
        const auto now = context.world().monotonic();
        if (callee.unreachable_logged != Instant{} && now < callee.unreachable_logged + kUnreachableLogInterval) return;
        callee.unreachable_logged = now;
    }
    telemetry_.log.warning(context, "an instance gave no usable answer",
                           {{"upstream", endpoint.service.name},
                            {"instance", instance.id},
                            {"call", std::string(name(endpoint.method)) + " " + std::string(endpoint.path)},
                            {"reason", error.code()},
                            {"error", error.message()}});
}

task<Result<std::string>> Calls::send(Context& context, const EndpointInfo& endpoint, const void* request,
                                      http::BodySource* streamed) {
    const auto found = callees_.find(endpoint.service.name);
    if (found == callees_.end()) {
        co_return Error(Kind::internal, std::string(endpoint.service.name) +
                                            " is called but was not declared: name it in host.calls({...})");
    }
    auto& callee = found->second;
    http::OutgoingCall call(context, TimeSpent::On::calls,
                            {name(endpoint.method), " ", endpoint.service.name, endpoint.path});
    auto message = co_await must(make_request(endpoint, request));
    message.head.authority = endpoint.service.name;
    message.head.headers.add("accept", "application/json");
    if (endpoint.options.idempotent) message.head.headers.add("idempotency-key", new_id(context.world()));
    const bool repeatable = is_idempotent(endpoint.method) || endpoint.options.idempotent;

    auto instances = co_await must(known_instances(context, endpoint.service.name));
    const auto first = callee.turn++;
    // The only instance gets a second try: a kept connection may have ended just as we used it. A stream of which
    // nothing was sent is safe to repeat whatever it is for.
    const std::size_t tries = repeatable || streamed ? std::max<std::size_t>(instances->size(), 2) : 1;
    Error last(Kind::unavailable, "no_instance", "no healthy instance of " + found->first + " is known");
    std::string before; // what was wrong with those tried before
    for (std::size_t i = 0; i < tries; ++i) {
        const auto& instance = (*instances)[(first + i) % instances->size()];
        auto address = instance.best_address(this_host_);
        auto fetching = streamed ? http_.fetch(call, std::move(address), message.head, *streamed)
                                 : http_.fetch(call, std::move(address), message);
        auto response = co_await std::move(fetching);
        if (response) co_return answer_of(endpoint, std::move(*response));
        if (is_instances_fault(response.error())) note_failure(context, endpoint, callee, instance, response.error());
        last = std::move(response.error()).with_context(before + "calling " + instance.id);
        before = last.message() + "; ";
        const bool unreachable = last.kind() == Kind::unavailable || last.kind() == Kind::bad_gateway;
        if (!unreachable || context.cancelled()) break;
        if (streamed && streamed->taken() && !(repeatable && streamed->rewind())) break;
    }
    co_return last;
}

Result<std::string> Calls::answer_of(const EndpointInfo& endpoint, http::Response response) {
    const int status = response.status();
    if (status >= 400) {
        auto error = http::error_from_problem(response);
        // No code of a contract's: there is no such route, which is not the caller's to answer for.
        const bool no_route = error.code() == name(Kind::not_found) || error.code() == name(Kind::method_not_allowed);
        return no_route ? broken_answer(endpoint, error) : std::move(error);
    }
    if (status < 200 || status >= 300)
        return broken_answer(endpoint, Error(Kind::bad_gateway, "status " + std::to_string(status)));
    return std::move(response.body);
}

} // namespace flotilla
