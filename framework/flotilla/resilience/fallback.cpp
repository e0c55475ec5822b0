#include <flotilla/resilience/fallback.hpp>

namespace flotilla {

bool is_outage(const Error& error) {
    switch (error.kind()) {
    case Kind::unavailable:
    case Kind::bad_gateway:
    case Kind::deadline_exceeded:
    case Kind::internal:
    case Kind::exhausted:
        return true;
    default:
        return false;
    }
}

Counter& stale_answers(Metrics& metrics, std::string_view upstream) {
    return metrics.counter("fallback_stale_answers_total", "Answers that stood in for one that a service did not give.",
                           {{"upstream", std::string(upstream)}});
}

} // namespace flotilla
