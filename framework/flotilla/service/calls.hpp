#pragma once

#include <string>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/http/body_source.hpp>
#include <flotilla/resilience/target_call.hpp>

namespace flotilla {

/// What a caller that repeats a call itself, until it is answered, says of it and hears.
struct RepeatedCall {
    std::string_view key; ///< its Idempotency-Key, the same each time; 1 to 255 characters
    int sent = 0;         ///< how many of this call's tries have left: all but an answered last one may have an effect
};

/// Calls other services by their contracts: `co_await calls.call(context, user::get, {.id = id})`. The endpoint knows
/// whose it is. What happens between this line and the answer is a TargetCall's: an instance is picked, and another try
/// made where that is safe, can help and is in the budget. Endpoints declared idempotent get an Idempotency-Key of
/// their own, the same for all tries. Of these and of idempotent methods a second one is made beside a slow first one
/// where the target's options say so (hedging). Carries trace, criticality and deadline.
/// Errors: what the service answered, with its code; those of TargetCall (unavailable `no_instance`, soon, when none is
/// known and the registry does not tell), with what was wrong with which instance, all that were tried; bad_gateway
/// `broken_answer` when the answer is not what the contract says, a route that the service does not have included; the
/// context's reason. Thread-safety: none; one per loop.
class Calls {
public:
    explicit Calls(Targets& targets) : targets_(targets) {}

    /// Says that a service will be called. It is watched from now on: what is known before the first call survives a
    /// registry that dies before it. Who was not declared cannot be called.
    void declare(const Service& service) { targets_.of(service.name); }

    template <class Request, class Response>
    task<Result<Response>> call(Context& context, const Endpoint<Request, Response>& endpoint,
                                std::type_identity_t<Request> request) {
        co_return response_of<Response>(endpoint, co_await must(send(context, endpoint, &request, nullptr)));
    }

    /// Calls a streamed endpoint: `co_await calls.call(context, photo::put, {.id = id}, body)`. The body goes out as
    /// the service takes it. Another instance is tried only while no piece of it was taken, or from the start again
    /// where the body can go back (bytes) and the method is idempotent. Errors also: the source's.
    template <class Request, class Response>
    task<Result<Response>> call(Context& context, const StreamedEndpoint<Request, Response>& endpoint,
                                std::type_identity_t<Request> request, http::BodySource& body) {
        co_return response_of<Response>(endpoint, co_await must(send(context, endpoint, &request, &body)));
    }

    /// A call that its caller repeats, for who has the types as descriptors only: `request` is what the endpoint takes,
    /// and the answer comes as JSON, unread. Errors as call()'s.
    task<Result<std::string>> repeat(Context& context, const EndpointInfo& endpoint, const void* request,
                                     RepeatedCall& repeated) {
        return send(context, endpoint, request, nullptr, &repeated);
    }

private:
    /// Returns the body of a successful answer. streamed: the request's body, of a streamed endpoint.
    task<Result<std::string>> send(Context& context, const EndpointInfo& endpoint, const void* request,
                                   http::BodySource* streamed, RepeatedCall* repeated = nullptr);
    static task<Result<std::string>> send_whole(Context& context, TargetCall& call, const EndpointInfo& endpoint,
                                                http::Request message);
    static task<Result<std::string>> send_streamed(Context& context, TargetCall& call, const EndpointInfo& endpoint,
                                                   http::RequestHead head, http::BodySource& body);
    static Error failure_of(const TargetCall& call, Error error);
    template <class Response>
    static Result<Response> response_of(const EndpointInfo& endpoint, const std::string& body) {
        if constexpr (std::is_empty_v<Response>) {
            return Response{};
        } else {
            auto response = json::parse<Response>(body);
            if (!response) return broken_answer(endpoint, response.error());
            return std::move(*response);
        }
    }
    static Result<std::string> answer_of(const EndpointInfo& endpoint, http::Response response);
    static Error broken_answer(const EndpointInfo& endpoint, const Error& why);

    Targets& targets_;
};

} // namespace flotilla
