#pragma once

#include <string_view>

#include <flotilla/http/client.hpp>
#include <flotilla/observe/metrics.hpp>

namespace flotilla::http {

/// The gauges of one loop's connections to one upstream: http_client_open_connections (active, idle) and
/// http_client_waiting_requests. Thread-safe.
class ClientLoadGauges {
public:
    ClientLoadGauges(Metrics& metrics, std::string_view loop, std::string_view upstream);
    void set(const Client::Load& load);

private:
    Gauge& active_;
    Gauge& idle_;
    Gauge& waiting_;
};

} // namespace flotilla::http
