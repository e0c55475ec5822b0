#include <flotilla/service/request/recording.hpp>

#include <algorithm>
#include <array>

#include <flotilla/node/load_shedder.hpp>

namespace flotilla {

RequestRecorder::RequestRecorder(World& world, Telemetry& telemetry, const HostOptions& options)
    : world_(world), log_(telemetry.log), sample_(static_cast<std::uint64_t>(std::max(options.access_log_sample, 1))),
      active_(telemetry.metrics.gauge("http_server_active_requests", "Requests being handled right now.")),
      slow_(world, telemetry, options.slow_request) {}

void RequestRecorder::record(const Context& context, const http::Exchange& exchange, const MatchedRoute& matched,
                             int status, Duration taken, const TimeSpent& spent, const std::optional<Error>& failure) {
    const auto& request = exchange.request();
    matched.route.durations.observe(request.method, status, taken);
    const bool sampled = ++served_ % sample_ == 0;
    const bool slow = slow_.is_slow(taken, spent);
    if (failure && failure->code() == overloaded.code) return;
    const auto level = status >= 500 ? LogLevel::warning : LogLevel::info;
    if (!slow && (!log_.enabled(level) || (!sampled && status < 500))) return;
    const std::array<LogField, 6> all{LogField{"method", request.method_name},
                                      {"path", request.path()},
                                      {"route", matched.route.pattern()},
                                      {"status", status},
                                      {"duration_ms", log_ms(taken)},
                                      // Last, and left out when there is none.
                                      {"error", failure ? std::string_view(failure->message()) : std::string_view()}};
    const auto fields = std::span(all).first(failure ? all.size() : all.size() - 1);
    if (slow && slow_.note(context, taken, spent, fields)) return;
    if (sampled || status >= 500) log_.write(level, &context.trace, "request", fields);
}

Recording::Recording(RequestRecorder& recorder, Context& context)
    : recorder_(recorder), begin_(recorder.world_.monotonic()), spent_(recorder.world_),
      accounted_(context, recorder.slow_.enabled() ? &spent_ : nullptr) {
    recorder_.active_.add(1);
}

void Recording::end(const Context& context, const http::Exchange& exchange, const MatchedRoute& matched, int status,
                    const std::optional<Error>& failure) {
    recorder_.record(context, exchange, matched, status, recorder_.world_.monotonic() - begin_, spent_, failure);
}

} // namespace flotilla
