#include "gateway/core/recorder.hpp"

#include <array>

#include <flotilla/node/load_shedder.hpp>

namespace flotilla::gateway {

Recorder::Recorder(World& world, const RouteTable& routes, Telemetry& telemetry, std::uint32_t sample, Duration slow)
    : log_(telemetry.log), sample_(sample),
      active_(telemetry.metrics.gauge("http_server_active_requests", "Requests being handled right now.")),
      slow_(world, telemetry, slow) {
    for (const auto& target : routes.targets())
        durations_.emplace_back(telemetry.metrics, target.pattern);
    durations_.emplace_back(telemetry.metrics, "");
}

void Recorder::end(const Context& context, const http::Exchange& exchange, std::string_view request_id,
                   std::optional<std::size_t> target, int status, Duration duration, const TimeSpent& spent,
                   const Error* error) {
    active_.add(-1);
    const auto& request = exchange.request();
    auto& durations = durations_[target.value_or(durations_.size() - 1)];
    durations.observe(request.method, status, duration);
    bool logged = status >= 500;
    if (!logged && sample_ > 0) {
        logged = until_sample_ == 0;
        until_sample_ = logged ? sample_ - 1 : until_sample_ - 1;
    }
    const bool slow = slow_.is_slow(duration, spent);
    if (!slow && (!logged || (error && error->code() == overloaded.code))) return;
    const std::array<LogField, 8> fields{LogField{"method", request.method_name},
                                         {"path", request.path()},
                                         {"route", durations.route()},
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
