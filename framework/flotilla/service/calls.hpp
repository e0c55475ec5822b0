#pragma once

#include <functional>
#include <map>
#include <string>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/observe/telemetry.hpp>

namespace flotilla {

/// Calls other services by their contracts: `co_await calls.call(context, user::get, {.id = id})`. The endpoint knows
/// whose it is. Takes the next healthy instance in turn; when one cannot be reached and the call is safe to repeat,
/// tries the others (the only one: once more) within the deadline.
/// Endpoints declared idempotent get an Idempotency-Key of their own. Carries trace and deadline.
/// Errors: what the service answered, with its code; unavailable `no_instance` (soon, when none is known and the
/// registry does not tell), unavailable and bad_gateway (see http::Client), with what was wrong with which instance,
/// all that were tried; bad_gateway `broken_answer` when the answer is not what the contract says, a route that the
/// service does not have included; the context's reason. Each instance that gave no answer is noted in the log, and
/// counted by the error's code in `http_client_failed_requests_total`.
/// Thread-safety: none; one per loop.
class Calls {
public:
    Calls(Registry& registry, http::Client& http, std::string this_host, Telemetry& telemetry);

    /// Says that a service will be called. It is watched from now on: what is known before the first call survives a
    /// registry that dies before it. Who was not declared cannot be called.
    void declare(const Service& service);

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

    /// Visits each declared service with the connections to all its known instances.
    void for_each_load(const std::function<void(const std::string& service, http::Client::Load load)>& visit) const;

private:
    struct Callee {
        std::size_t turn = 0;
        Instant unreachable_logged{}; ///< when it was said last that an instance cannot be reached
    };

    task<Result<Instances>> known_instances(Context& context, std::string_view service);
    /// Returns the body of a successful answer. streamed: the request's body, of a streamed endpoint.
    task<Result<std::string>> send(Context& context, const EndpointInfo& endpoint, const void* request,
                                   http::BodySource* streamed);
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
    void note_failure(const Context& context, const EndpointInfo& endpoint, Callee& callee, const Instance& instance,
                      const Error& error);

    Registry& registry_;
    http::Client& http_;
    std::string this_host_;
    Telemetry& telemetry_;
    std::map<std::string, Callee, std::less<>> callees_;
};

} // namespace flotilla
