#include <flotilla/http/outgoing_call.hpp>

#include <algorithm>
#include <charconv>

namespace flotilla::http {

void OutgoingCall::begin_try(RequestHead& head) {
    span_id_ = new_span_id(context_.world());
    head.headers.set_valid("traceparent", context_.trace.traceparent(span_id_));
    if (context_.deadline().is_never()) return;
    // Rounded up: it is ours to give up first, and zero would be no time at all.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(context_.remaining()).count();
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.begin(), digits.end(), std::max<std::int64_t>(1, left)).ptr;
    head.headers.set_valid("flotilla-timeout-ms", {digits.begin(), end});
}

void OutgoingCall::end() {
    if (!interval_.counts()) return;
    if (!name_[0].empty()) interval_.note_call({name_[0], name_[1], name_[2], name_[3]});
    interval_.end();
}

} // namespace flotilla::http
