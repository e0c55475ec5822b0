#include <flotilla/service/request/limits.hpp>

namespace flotilla {

Result<void> apply_limits(http::Exchange& exchange, const EndpointOptions& endpoint, std::uint64_t body_bytes_max) {
    auto limited = exchange.limit_body(endpoint.body_bytes_max > 0 ? endpoint.body_bytes_max : body_bytes_max);
    if (limited && endpoint.timeout > Duration::zero()) exchange.limit_time(endpoint.timeout);
    return limited;
}

} // namespace flotilla
