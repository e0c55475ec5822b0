#include <flotilla/http/request_context.hpp>

#include <algorithm>
#include <charconv>

#include <flotilla/base/ascii.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

constexpr std::size_t kAttemptsDigitsMax = 3;
constexpr std::size_t kTimeoutDigitsMax = 9; // 11 days in milliseconds: more is no deadline

std::optional<std::int64_t> parse_digits(std::string_view text, std::size_t digits_max) {
    std::int64_t number = 0;
    if (text.empty() || text.size() > digits_max ||
        !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
        return std::nullopt;
    }
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// The value of a field that may have been sent as several lines (RFC 9110 §5.3).
std::string joined(const RequestParser& parser, const Headers& headers, KnownField field, std::string_view name) {
    const auto first = parser.known(field);
    if (!first) return {};
    if (!parser.repeated(field)) return std::string(*first);
    std::string all;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto each = headers[i];
        if (equal_ignoring_case(each.name, name)) all.append(all.empty() ? "" : ",").append(each.value);
    }
    return all;
}

} // namespace

TraceContext trace_of_request(const RequestParser& parser, World& world) {
    TraceContext trace;
    const auto parent = parser.known(KnownField::traceparent);
    if (parent && !parser.repeated(KnownField::traceparent)) trace = TraceContext::parse(*parent);
    if (trace.valid()) {
        trace.state = joined(parser, parser.headers(), KnownField::tracestate, "tracestate");
        trace = trace.child(world);
    } else {
        trace = TraceContext::start(world); // a state without its parent means nothing
    }
    trace.baggage = joined(parser, parser.headers(), KnownField::baggage, "baggage");
    return trace;
}

std::optional<Duration> parse_grpc_timeout(std::string_view text) {
    if (text.size() < 2) return std::nullopt;
    const auto number = parse_digits(text.substr(0, text.size() - 1), 8);
    if (!number) return std::nullopt;
    switch (text.back()) {
    case 'H':
        return std::chrono::hours(*number);
    case 'M':
        return std::chrono::minutes(*number);
    case 'S':
        return std::chrono::seconds(*number);
    case 'm':
        return std::chrono::milliseconds(*number);
    case 'u':
        return std::chrono::microseconds(*number);
    case 'n':
        return Duration(*number);
    default:
        return std::nullopt;
    }
}

Result<Duration> time_allowed(const RequestParser& parser) {
    std::optional<Duration> brought;
    if (const auto text = parser.known(KnownField::flotilla_timeout)) {
        const auto number = parse_digits(*text, kTimeoutDigitsMax);
        if (!number) return Error(Kind::invalid, "flotilla-timeout-ms is not a number of milliseconds");
        brought = std::chrono::milliseconds(*number);
    } else if (const auto grpc = parser.known(KnownField::grpc_timeout)) {
        brought = parse_grpc_timeout(*grpc);
        if (!brought) return Error(Kind::invalid, "grpc-timeout is malformed");
    }
    if (!brought) return Duration::max();
    if (*brought <= Duration::zero()) return Error(Kind::deadline_exceeded, "no time is left for this request");
    return *brought;
}

Result<std::optional<Criticality>> criticality_of_request(const RequestParser& parser) {
    const auto text = parser.known(KnownField::flotilla_criticality);
    if (!text) return std::nullopt;
    if (parser.repeated(KnownField::flotilla_criticality))
        return Error(Kind::invalid, "flotilla-criticality was sent more than once");
    auto criticality = parse_criticality(*text);
    if (!criticality) return std::move(criticality.error()).with_context("flotilla-criticality");
    return *criticality;
}

Result<std::uint32_t> attempts_of_request(const RequestParser& parser) {
    const auto text = parser.known(KnownField::flotilla_attempts);
    if (!text) return 0;
    if (parser.repeated(KnownField::flotilla_attempts))
        return Error(Kind::invalid, "flotilla-attempts was sent more than once");
    const auto number = parse_digits(*text, kAttemptsDigitsMax);
    if (!number) return Error(Kind::invalid, "flotilla-attempts is not a number of three digits at most");
    return static_cast<std::uint32_t>(*number);
}

} // namespace flotilla::http
