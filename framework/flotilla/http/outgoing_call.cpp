#include <flotilla/http/outgoing_call.hpp>

#include <algorithm>
#include <charconv>

namespace flotilla::http {
namespace {

constexpr std::int64_t kGrpcTimeoutMax = 99'999'999; // of its unit: more than 8 digits are not allowed

void set_number(Headers& headers, std::string_view name, std::uint32_t number) {
    std::array<char, 12> text;
    headers.set_valid(name, {text.begin(), std::to_chars(text.begin(), text.end(), number).ptr});
}

} // namespace

void add_trace_state(const Context& context, RequestHead& head) {
    if (!context.trace.state.empty()) head.headers.set("tracestate", context.trace.state);
    if (!context.trace.baggage.empty()) head.headers.set("baggage", context.trace.baggage);
}

void OutgoingCall::begin_try(RequestHead& head, const Context& within, std::uint32_t attempts) {
    span_id_ = new_span_id(context_.world());
    head.headers.set_valid("traceparent", context_.trace.traceparent(span_id_));
    // Without the field a request is normal.
    if (context_.criticality != Criticality::normal)
        head.headers.set_valid("flotilla-criticality", name(context_.criticality));
    if (attempts > 0) set_number(head.headers, "flotilla-attempts", attempts);
    if (within.deadline().is_never()) return;
    // Rounded up: it is ours to give up first, and zero would be no time at all.
    const auto ceiled = std::chrono::ceil<std::chrono::milliseconds>(within.remaining()).count();
    const auto left = std::max<std::int64_t>(1, ceiled);
    std::array<char, 24> text;
    char* const end = std::to_chars(text.begin(), text.end() - 1, left).ptr;
    head.headers.set_valid("flotilla-timeout-ms", {text.begin(), end});
    if (left > kGrpcTimeoutMax || !head.headers.has(KnownField::grpc_timeout)) return;
    *end = 'm'; // milliseconds
    head.headers.set_valid("grpc-timeout", {text.begin(), end + 1});
}

void OutgoingCall::end() {
    if (!interval_.counts()) return;
    if (!name_[0].empty()) interval_.note_call({name_[0], name_[1], name_[2], name_[3]});
    interval_.end();
}

} // namespace flotilla::http
