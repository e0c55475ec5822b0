#include <flotilla/http/body_source.hpp>

namespace flotilla::http {

namespace {
task<Result<std::string_view>> ready(std::string_view piece) { co_return piece; }
} // namespace

task<Result<std::string_view>> BodySource::read(Context& context) {
    const bool first = !std::exchange(taken_, true);
    if (next_) return next_(context);
    return ready(first ? bytes_ : std::string_view());
}

bool BodySource::rewind() {
    if (next_ && taken_) return false;
    taken_ = false;
    return true;
}

} // namespace flotilla::http
