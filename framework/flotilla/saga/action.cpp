#include <flotilla/saga/action.hpp>

#include <stdexcept>

namespace flotilla::saga::detail {

void check_repeatable(const EndpointInfo& endpoint) {
    if (is_idempotent(endpoint.method) || endpoint.options.idempotent) return;
    throw std::logic_error("a saga calls " + std::string(name(endpoint.method)) + " " + std::string(endpoint.path) +
                           " of " + std::string(endpoint.service.name) +
                           " as often as it takes: declare the endpoint .idempotent");
}

} // namespace flotilla::saga::detail
