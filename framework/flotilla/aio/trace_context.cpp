#include <flotilla/aio/trace_context.hpp>

#include <algorithm>
#include <span>

#include <flotilla/aio/world.hpp>

namespace flotilla {

namespace {

constexpr std::size_t kVersion00Length = 55; // 00-<32>-<16>-<2>

template <std::size_t Bytes>
FixedText<2 * Bytes> hex(const std::array<std::uint8_t, Bytes>& bytes) {
    FixedText<2 * Bytes> text;
    write_hex(bytes, text.characters.data());
    return text;
}

/// -1 for anything but a lower-case hex digit: the specification forbids upper case.
int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool parse_hex(std::string_view text, std::span<std::uint8_t> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const int high = digit_value(text[2 * i]);
        const int low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

bool all_zero(std::span<const std::uint8_t> bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

void fill(World& world, std::span<std::uint8_t> bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
        const std::uint64_t random = world.random();
        for (std::size_t j = 0; j < 8; ++j)
            bytes[i + j] = static_cast<std::uint8_t>(random >> (8 * j));
    }
    if (all_zero(bytes)) bytes.back() = 1; // all zero means invalid
}

} // namespace

SpanId new_span_id(World& world) {
    SpanId id;
    fill(world, id);
    return id;
}

bool TraceContext::valid() const { return !all_zero(trace_id) && !all_zero(span_id); }
FixedText<32> TraceContext::trace_id_hex() const { return hex(trace_id); }
FixedText<16> TraceContext::span_id_hex() const { return hex(span_id); }

FixedText<kVersion00Length> TraceContext::traceparent(const SpanId& span) const {
    FixedText<kVersion00Length> text;
    char* at = std::ranges::copy(std::string_view("00-"), text.characters.data()).out;
    at = write_hex(trace_id, at);
    *at++ = '-';
    at = write_hex(span, at);
    std::ranges::copy(std::string_view(sampled ? "-01" : "-00"), at);
    return text;
}

// https://www.w3.org/TR/trace-context/#versioning-of-traceparent: a later version may append fields after a dash.
TraceContext TraceContext::parse(std::string_view text) {
    if (text.size() < kVersion00Length || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
    std::uint8_t version = 0;
    std::uint8_t flags = 0;
    TraceContext context;
    if (!parse_hex(text, {&version, 1}) || version == 0xff) return {};
    if (text.size() > kVersion00Length && (version == 0 || text[kVersion00Length] != '-')) return {};
    if (!parse_hex(text.substr(3), context.trace_id) || !parse_hex(text.substr(36), context.span_id) ||
        !parse_hex(text.substr(53), {&flags, 1}) || !context.valid()) {
        return {};
    }
    context.sampled = (flags & 1) != 0;
    return context;
}

TraceContext TraceContext::start(World& world) {
    TraceContext context;
    fill(world, context.trace_id);
    context.span_id = new_span_id(world);
    return context;
}

TraceContext TraceContext::child(World& world) const {
    TraceContext context = *this;
    context.span_id = new_span_id(world);
    return context;
}

} // namespace flotilla
