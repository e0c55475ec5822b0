#pragma once

#include <flotilla/node/lasting_answers.hpp>
#include <flotilla/observe/metrics.hpp>
#include <flotilla/service/request/http_edge.hpp>

namespace flotilla {

/// The event streams of a loop: bounds their number, and ends each in good order before its time is over, and all when
/// the service stops. Thread-safety: none; one per loop.
class EventStreams {
public:
    /// Half of the connections that a gateway keeps to one instance: the other half is for what does not last.
    static constexpr std::size_t kOpenMax = 256;

    explicit EventStreams(Metrics& metrics);

    /// Has the endpoint's method send its events. Errors: unavailable `too_many_streams`, or that the service stops;
    /// the method's, unless the stream has ended in good order: then the edge responds with its end.
    task<Result<void>> call(Context& context, EndpointCore& endpoint, HttpEdge& edge);
    /// What ends them.
    Part part() { return answers_.part(); }

private:
    LastingAnswers answers_;
    Gauge& open_;
    Counter& too_slow_;
};

} // namespace flotilla
