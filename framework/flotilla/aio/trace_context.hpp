#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/base/fixed_text.hpp>

namespace flotilla {

class World;

using SpanId = std::array<std::uint8_t, 8>;
/// A random one; never all zero.
SpanId new_span_id(World& world);

/// W3C trace context: who started this piece of work. Carried through every call and event.
/// Source: https://www.w3.org/TR/trace-context/
struct TraceContext {
    std::array<std::uint8_t, 16> trace_id{};
    SpanId span_id{};
    bool sampled = true;
    std::string state;   ///< `tracestate`, forwarded untouched
    std::string baggage; ///< `baggage`, forwarded untouched

    bool valid() const;
    FixedText<32> trace_id_hex() const; ///< lower-case
    FixedText<16> span_id_hex() const;  ///< lower-case
    /// "00-<trace>-<span>-01"
    FixedText<55> traceparent() const { return traceparent(span_id); }
    /// As above, of another span of this trace.
    FixedText<55> traceparent(const SpanId& span) const;
    /// Parses `traceparent`; an invalid one gives an invalid (all zero) context, as the specification asks.
    static TraceContext parse(std::string_view traceparent);
    /// A new trace with random ids.
    static TraceContext start(World& world);
    /// The same trace, state and baggage, with a new span id.
    TraceContext child(World& world) const;
};

} // namespace flotilla
