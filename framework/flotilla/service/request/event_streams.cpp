#include <flotilla/service/request/event_streams.hpp>

#include <algorithm>

namespace flotilla {
namespace {

/// A stream ends so long before its caller's patience: a proxy on the way would break it then.
constexpr Duration kMarginMax = std::chrono::seconds(1);

Deadline end_of_stream(const Context& request) {
    if (request.deadline().is_never()) return request.deadline();
    return Deadline{request.deadline().at - std::min<Duration>(kMarginMax, request.remaining() / 4)};
}

/// Counts a stream while it is open.
class Counted {
public:
    explicit Counted(Gauge& gauge) : gauge_(gauge) { gauge_.add(1); }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { gauge_.add(-1); }

private:
    Gauge& gauge_;
};

} // namespace

EventStreams::EventStreams(Metrics& metrics)
    : open_(metrics.gauge("flotilla_event_streams", "Event streams that are open.")),
      too_slow_(metrics.counter("flotilla_event_streams_too_slow_total",
                                "Event streams that ended because their reader took nothing.")) {}

task<Result<void>> EventStreams::call(Context& context, EndpointCore& endpoint, HttpEdge& edge) {
    if (answers_.stopping()) {
        co_return Error(Kind::unavailable, "the service is shutting down").with_retry_after(std::chrono::seconds(1));
    }
    if (answers_.open() >= kOpenMax) {
        co_return Error(Kind::unavailable, "too_many_streams", "too many event streams are open; try again later")
            .with_retry_after(std::chrono::seconds(5));
    }
    LastingAnswers::Answer stream(answers_, context, end_of_stream(context));
    const Counted counted(open_);
    auto ended = co_await endpoint.call(stream.context(), edge);
    const bool head_only = edge.request().method == Method::head && !context.cancelled();
    if (ended || (edge.streaming() && (stream.is_over() || head_only))) co_return Result<void>();
    if (ended.error().code() == "client_too_slow") too_slow_.add();
    co_return ended;
}

} // namespace flotilla
