#pragma once

#include <array>
#include <string_view>

#include <flotilla/aio/time_spent.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// A call of another program with all its tries: the one place where what a request waits for is accounted for
/// (TimeSpent), and where spans begin and end. Each try is a span of its own, as OpenTelemetry has it: a child of the
/// context's, whose id the server gets for the parent of its own. Lives in the frame of whoever calls.
/// Costs no allocation. Thread-safety: none; one loop.
class OutgoingCall {
public:
    /// For the slow-request log, in pieces, which must outlive the call: {"GET", " ", "user-service", "/users/{id}"}.
    using Name = std::array<std::string_view, 4>;

    /// Begins it. A call without a name counts as time, not as a call.
    OutgoingCall(Context& context, TimeSpent::On kind, Name name = {})
        : context_(context), interval_(context, kind), name_(name) {}
    OutgoingCall(const OutgoingCall&) = delete;
    OutgoingCall& operator=(const OutgoingCall&) = delete;
    ~OutgoingCall() { end(); }

    Context& context() const { return context_; }
    /// Begins a try: its span (`traceparent`), the time that is left (`flotilla-timeout-ms`, and `grpc-timeout` where
    /// the head has one), how critical it is (`flotilla-criticality`, unless normal) and how many tries were spent
    /// before it (`flotilla-attempts`, unless none; see attempts.hpp) go into the head, in place of those of the try
    /// before. within: a child of the call's context that ends earlier.
    void begin_try(RequestHead& head) { begin_try(head, context_, 0); }
    void begin_try(RequestHead& head, const Context& within, std::uint32_t attempts);
    /// Of the try that was begun last.
    const SpanId& span_id() const { return span_id_; }
    /// Where only the answer tells what it is to be called.
    void set_name(Name name) { name_ = name; }
    /// Ends it before this object does.
    void end();

private:
    Context& context_;
    TimeSpent::Interval interval_;
    Name name_;
    SpanId span_id_{};
};

/// What of a context's trace is the same for every try: `tracestate`, `baggage`.
void add_trace_state(const Context& context, RequestHead& head);

} // namespace flotilla::http
