#pragma once

#include <string_view>

#include <flotilla/aio/trace_context.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla {

/// An event as its handler gets it. The views are valid during the call.
template <class Event>
struct Received {
    Event event;
    std::string_view id;       ///< CloudEvents `id`, unique per event
    std::string_view topic;    ///< CloudEvents `type`
    std::string_view producer; ///< CloudEvents `source`: the service that published it
    Timestamp time;            ///< when it happened
    const TraceContext& trace; ///< of the transaction that handles it: the producer's trace

    const Event* operator->() const { return &event; }
};

} // namespace flotilla
