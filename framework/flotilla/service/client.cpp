#include <flotilla/service/client.hpp>

#include <flotilla/http/problem.hpp>
#include <flotilla/service/binding.hpp>

namespace flotilla {

Client::Client(Service service, Registry& registry, http::Client& http, std::string this_host)
    : service_(service), registry_(registry), http_(http), this_host_(std::move(this_host)) {}

Error Client::broken_answer(const EndpointInfo& endpoint, const Error& why) const {
    return Error(Kind::bad_gateway, "broken_answer",
                 std::string(service_.name) + " answered " + std::string(name(endpoint.method)) + " " +
                     std::string(endpoint.path) + " with something else than its contract says: " + why.message());
}

task<Result<std::string>> Client::send(Context& context, const EndpointInfo& endpoint, const void* request) {
    auto message = make_request(endpoint, request);
    message.head.authority = service_.name;
    message.head.headers.add("accept", "application/json");
    if (endpoint.options.idempotent) message.head.headers.add("idempotency-key", new_id(context.world()));
    const bool repeatable = is_idempotent(endpoint.method) || endpoint.options.idempotent;

    auto instances = co_await must(registry_.resolve(context, std::string(service_.name)));
    const auto first = turn_++;
    std::optional<Error> last;
    for (std::size_t i = 0; i < instances->size(); ++i) {
        const auto& instance = (*instances)[(first + i) % instances->size()];
        auto response = co_await http_.fetch(context, instance.best_address(this_host_), message);
        if (response) {
            if (response->status() < 400) co_return std::move(response->body);
            co_return http::error_from_problem(*response);
        }
        last = std::move(response.error()).with_context("calling " + instance.id);
        const bool unreachable = last->kind() == Kind::unavailable || last->kind() == Kind::bad_gateway;
        if (!repeatable || !unreachable || context.cancelled()) break;
    }
    if (last) co_return std::move(*last);
    co_return Error(Kind::unavailable, "no_instance",
                    "no healthy instance of " + std::string(service_.name) + " is known");
}

} // namespace flotilla
