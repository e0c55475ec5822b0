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

} // namespace flotilla
