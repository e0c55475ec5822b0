#pragma once

#include <string>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/observe/log.hpp>
#include <flotilla/observe/metrics.hpp>

namespace flotilla {

/// Calls another service by its contract: `co_await users.call(context, user::get, {.id = id})`. Takes the next healthy
/// instance in turn; when one cannot be reached and the call is safe to repeat, tries the others (the only one: once
/// more) within the deadline.
/// Endpoints declared idempotent get an Idempotency-Key of their own. Carries trace and deadline.
/// Errors: what the service answered, with its code; unavailable, bad_gateway (see http::Client), with what was wrong
/// with which instance, all that were tried; the context's reason. Each instance that gave no answer is noted in the
/// log, and counted by the error's code in `http_client_failed_requests_total`.
/// Thread-safety: none; one per loop.
class Client {
public:
    Client(Service service, Registry& registry, http::Client& http, std::string this_host, Metrics& metrics,
           Logger log);

    template <class Request, class Response>
    task<Result<Response>> call(Context& context, const Endpoint<Request, Response>& endpoint,
                                std::type_identity_t<Request> request) {
        co_return response_of<Response>(endpoint, co_await must(send(context, endpoint, &request, nullptr)));
    }

    /// Calls a streamed endpoint: `co_await photos.call(context, photo::put, {.id = id}, body)`. The body goes out as
    /// the service takes it. Another instance is tried only while no piece of it was taken, or from the start again
    /// where the body can go back (bytes) and the method is idempotent. Errors also: the source's.
    template <class Request, class Response>
    task<Result<Response>> call(Context& context, const StreamedEndpoint<Request, Response>& endpoint,
                                std::type_identity_t<Request> request, http::BodySource& body) {
        co_return response_of<Response>(endpoint, co_await must(send(context, endpoint, &request, &body)));
    }

    const Service& service() const { return service_; }
    /// The connections to all its known instances.
    http::Client::Load load() const;

private:
    /// Errors: unavailable `no_instance`, soon, when none is known and the registry does not tell.
    task<Result<Instances>> known_instances(Context& context);
    /// Returns the body of a successful answer. streamed: the request's body, of a streamed endpoint.
    task<Result<std::string>> send(Context& context, const EndpointInfo& endpoint, const void* request,
                                   http::BodySource* streamed);
    template <class Response>
    Result<Response> response_of(const EndpointInfo& endpoint, const std::string& body) const {
        if constexpr (std::is_empty_v<Response>) {
            return Response{};
        } else {
            auto response = json::parse<Response>(body);
            if (!response) return broken_answer(endpoint, response.error());
            return std::move(*response);
        }
    }
    Result<std::string> answer_of(const EndpointInfo& endpoint, http::Response response) const;
    Error broken_answer(const EndpointInfo& endpoint, const Error& why) const;
    void note_failure(const Context& context, const EndpointInfo& endpoint, const Instance& instance,
                      const Error& error);

    Service service_;
    Registry& registry_;
    http::Client& http_;
    std::string this_host_;
    Metrics& metrics_;
    Logger log_;
    std::size_t turn_ = 0;
    Instant unreachable_logged_{}; // when it was said last that an instance cannot be reached
};

} // namespace flotilla
