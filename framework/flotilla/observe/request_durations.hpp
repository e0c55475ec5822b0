#pragma once

#include <string>
#include <vector>

#include <flotilla/contract/endpoint.hpp>
#include <flotilla/observe/metrics.hpp>

namespace flotilla {

/// The histograms http_server_request_duration_seconds of one route, by method and status, made on first use.
/// Thread-safety: none; one per loop. The histograms behind it are shared by all loops.
class RequestDurations {
public:
    /// route: its pattern, as the label http_route; empty: requests that no route matched.
    RequestDurations(Metrics& metrics, std::string route) : metrics_(&metrics), route_(std::move(route)) {}

    const std::string& route() const { return route_; }
    void observe(Method method, int status, Duration taken);

private:
    struct Series {
        Method method;
        int status;
        Histogram* histogram;
    };
    Histogram& histogram_of(Method method, int status);

    Metrics* metrics_;
    std::string route_;
    std::vector<Series> series_;
};

} // namespace flotilla
