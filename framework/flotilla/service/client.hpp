#pragma once

#include <string>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/discovery/registry.hpp>
#include <flotilla/http/client.hpp>

namespace flotilla {

/// Calls another service by its contract: `co_await users.call(context, user::get, {.id = id})`. Takes the next healthy
/// instance in turn; when one cannot be reached and the call is safe to repeat, tries the others (the only one: once
/// more) within the deadline.
/// Endpoints declared idempotent get an Idempotency-Key of their own. Carries trace and deadline.
/// Errors: what the service answered, with its code; unavailable, bad_gateway, the context's reason.
/// Thread-safety: none; one per loop.
class Client {
public:
    Client(Service service, Registry& registry, http::Client& http, std::string this_host);

    template <class Request, class Response>
    task<Result<Response>> call(Context& context, const Endpoint<Request, Response>& endpoint,
                                std::type_identity_t<Request> request) {
        auto body = co_await must(send(context, endpoint, &request));
        if constexpr (std::is_empty_v<Response>) {
            co_return Response{};
        } else {
            auto response = json::parse<Response>(body);
            if (!response) co_return broken_answer(endpoint, response.error());
            co_return std::move(*response);
        }
    }

    const Service& service() const { return service_; }

private:
    /// Errors: unavailable `no_instance`, soon, when none is known and the registry does not tell.
    task<Result<Instances>> known_instances(Context& context);
    /// Returns the body of a successful answer.
    task<Result<std::string>> send(Context& context, const EndpointInfo& endpoint, const void* request);
    Result<std::string> answer_of(const EndpointInfo& endpoint, http::Response response) const;
    Error broken_answer(const EndpointInfo& endpoint, const Error& why) const;

    Service service_;
    Registry& registry_;
    http::Client& http_;
    std::string this_host_;
    std::size_t turn_ = 0;
};

} // namespace flotilla
