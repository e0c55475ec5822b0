#include "gateway/core/recorder.hpp"

#include <array>

namespace flotilla::gateway {

Recorder::Recorder(World& world, std::shared_ptr<const RouteTable> routes, Metrics& metrics, Logger log,
                   std::uint32_t sample, Duration slow)
    : routes_(std::move(routes)), metrics_(metrics), log_(std::move(log)), sample_(sample),
      active_(metrics.gauge("http_server_active_requests", "Requests being handled right now.")),
      slow_(world, metrics, log_, slow), series_(routes_->targets().size() + 1) {}

Histogram& Recorder::duration_of(Method method, std::optional<std::size_t> target, int status) {
    auto& known = series_[target.value_or(routes_->targets().size())];
    for (const auto& each : known) {
        if (each.method == method && each.status == status) return *each.histogram;
    }
    const auto method_name = name(method);
    auto& made = metrics_.histogram("http_server_request_duration_seconds", "Duration of HTTP server requests.",
                                    {{"http_request_method", method_name.empty() ? "_OTHER" : std::string(method_name)},
                                     {"http_route", target ? routes_->targets()[*target].pattern : ""},
                                     {"http_response_status_code", std::to_string(status)}});
    known.push_back({method, status, &made});
    return made;
}

void Recorder::end(const Context& context, const http::Exchange& exchange, std::string_view request_id,
                   std::optional<std::size_t> target, int status, Duration duration, const TimeSpent& spent,
                   const Error* error) {
    active_.add(-1);
    const auto& request = exchange.request();
    duration_of(request.method, target, status).observe(duration);
    bool logged = status >= 500;
    if (!logged && sample_ > 0) {
        logged = until_sample_ == 0;
        until_sample_ = logged ? sample_ - 1 : until_sample_ - 1;
    }
    const bool slow = slow_.is_slow(duration);
    if (!logged && !slow) return;
    const std::array<LogField, 8> fields{
        LogField{"method", request.method_name},
        {"path", request.path()},
        {"route", target ? std::string_view(routes_->targets()[*target].pattern) : std::string_view()},
        {"status", status},
        {"duration_ms", log_ms(duration)},
        {"request_id", request_id},
        {"client", exchange.peer().host},
        // Last, and left out when there is none.
        {"error", error ? std::string_view(error->message()) : std::string_view()}};
    const auto present = std::span(fields).first(error ? fields.size() : fields.size() - 1);
    if (slow && slow_.note(context, duration, spent, present)) return;
    if (logged && log_.enabled(LogLevel::info)) log_.write(LogLevel::info, &context.trace, "request", present);
}

} // namespace flotilla::gateway
