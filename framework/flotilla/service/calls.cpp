#include <flotilla/service/calls.hpp>

#include <algorithm>
#include <optional>

#include <flotilla/http/problem.hpp>
#include <flotilla/http/transfer.hpp>
#include <flotilla/resilience/hedged_call.hpp>
#include <flotilla/service/binding.hpp>

namespace flotilla {
namespace {

constexpr auto kResponseBytesMax = http::ClientOptions{}.response_bytes_max;

/// Rather than the caller's, or that of the source of its body.
bool is_servers_fault(const Error& error) {
    return error.code() == name(Kind::deadline_exceeded) ||
           std::ranges::find(http::kServerFailures, error.code()) != http::kServerFailures.end();
}

} // namespace

Error Calls::broken_answer(const EndpointInfo& endpoint, const Error& why) {
    return Error(Kind::bad_gateway, "broken_answer",
                 std::string(endpoint.service.name) + " answered " + std::string(name(endpoint.method)) + " " +
                     std::string(endpoint.path) + " with something else than its contract says: " + why.message());
}

task<Result<std::string>> Calls::send(Context& context, const EndpointInfo& endpoint, const void* request,
                                      http::BodySource* streamed, RepeatedCall* repeated) {
    auto* target = targets_.find(endpoint.service.name);
    if (target == nullptr) {
        co_return Error(Kind::internal, std::string(endpoint.service.name) +
                                            " is called but was not declared: name it in host.calls({...})");
    }
    auto message = co_await must(make_request(endpoint, request));
    message.head.authority = endpoint.service.name;
    message.head.headers.add("accept", "application/json");
    if (endpoint.options.idempotent && repeated != nullptr)
        message.head.headers.add("idempotency-key", repeated->key);
    else if (endpoint.options.idempotent)
        message.head.headers.add("idempotency-key", new_id(context.world()));
    http::add_trace_state(context, message.head);
    const auto& options = target->options_of(endpoint.method, endpoint.path);
    const CallTraits traits{.repeatable = is_idempotent(endpoint.method) || endpoint.options.idempotent,
                            .upload = streamed != nullptr,
                            .options = &options,
                            .name = {name(endpoint.method), " ", endpoint.service.name, endpoint.path}};
    std::optional<Context> bounded;
    if (context.remaining() > options.timeouts.call) bounded.emplace(context, options.timeouts.call);
    Context& own = bounded ? *bounded : context;
    if (traits.repeatable && !streamed && options.hedging.enabled) {
        const auto ask = [&](Context& its, TargetCall& call) { return send_whole(its, call, endpoint, message); };
        if (repeated != nullptr) repeated->sent = 2; // one of them may stay without an answer
        co_return co_await hedged_call<std::string>(targets_, *target, own, traits, ask);
    }
    TargetCall call(targets_, *target, own, traits);
    if (streamed) co_return co_await send_streamed(own, call, endpoint, std::move(message.head), *streamed);
    auto answer = co_await send_whole(own, call, endpoint, std::move(message));
    if (repeated != nullptr) repeated->sent = call.sent();
    co_return answer;
}

task<Result<std::string>> Calls::send_whole(Context& context, TargetCall& call, const EndpointInfo& endpoint,
                                            http::Request message) {
    while (true) {
        auto answered = co_await call.send(message.head, message.body);
        if (!answered) co_return failure_of(call, std::move(answered.error()));
        auto response = co_await http::read_response(context, call.exchange(), message.head.method, kResponseBytesMax);
        if (response) co_return answer_of(endpoint, std::move(*response));
        if (response.error().kind() == Kind::too_large) co_return std::move(response.error());
        if (!call.failed(response.error(), call.traits().repeatable)) co_return failure_of(call, *call.last_failure());
    }
}

task<Result<std::string>> Calls::send_streamed(Context& context, TargetCall& call, const EndpointInfo& endpoint,
                                               http::RequestHead head, http::BodySource& body) {
    head.headers.set("content-type", body.content_type());
    while (true) {
        auto connected = co_await call.connect(head);
        if (!connected) co_return failure_of(call, std::move(connected.error()));
        call.begin(head);
        auto response = co_await http::exchange_streamed(context, **connected, head, body, kResponseBytesMax,
                                                         [&](const http::ResponseHead& came) { call.answered(came); });
        if (response) co_return answer_of(endpoint, std::move(*response));
        if (!is_servers_fault(response.error())) co_return std::move(response.error());
        // Nothing was sent, or it can be sent from the start again.
        const bool safe = !body.taken() || (call.traits().repeatable && body.rewind());
        if (!call.failed(response.error(), safe)) co_return failure_of(call, *call.last_failure());
    }
}

/// With what was wrong at each instance that was tried.
Error Calls::failure_of(const TargetCall& call, Error error) {
    return call.last_failure() && *call.last_failure() == error ? call.all_failures() : error;
}

Result<std::string> Calls::answer_of(const EndpointInfo& endpoint, http::Response response) {
    const int status = response.status();
    if (status >= 400) {
        auto error = http::error_from_problem(response);
        // No code of a contract's: there is no such route, which is not the caller's to answer for.
        const bool no_route = error.code() == name(Kind::not_found) || error.code() == name(Kind::method_not_allowed);
        if (no_route) return broken_answer(endpoint, error);
        return status < 500 ? std::move(error) : std::move(error).with_no_retry(); // no other try was left to this one
    }
    if (status < 200 || status >= 300)
        return broken_answer(endpoint, Error(Kind::bad_gateway, "status " + std::to_string(status)));
    return std::move(response.body);
}

} // namespace flotilla
