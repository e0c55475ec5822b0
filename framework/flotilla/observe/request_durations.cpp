#include <flotilla/observe/request_durations.hpp>

namespace flotilla {

void RequestDurations::observe(Method method, int status, Duration taken) {
    histogram_of(method, status).observe(taken);
}

Histogram& RequestDurations::histogram_of(Method method, int status) {
    for (const auto& known : series_) {
        if (known.method == method && known.status == status) return *known.histogram;
    }
    const auto method_label = name(method);
    auto& made =
        metrics_->histogram("http_server_request_duration_seconds", "Duration of HTTP server requests.",
                            {{"http_request_method", method_label.empty() ? "_OTHER" : std::string(method_label)},
                             {"http_route", route_},
                             {"http_response_status_code", std::to_string(status)}});
    series_.push_back({method, status, &made});
    return made;
}

} // namespace flotilla
