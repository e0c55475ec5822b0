#include "gateway/core/upstream_error.hpp"

namespace flotilla::gateway {
namespace {

Error late(const std::string& service, const TargetCall& call) {
    return Error(Kind::deadline_exceeded,
                 call.reached() ? service + " did not answer in the time this request has"
                                : "no connection to " + service + " came free in the time this request has");
}

std::string what_failed(const std::string& service, const std::string& code) {
    if (code == "bad_response" || code == "response_head_too_large")
        return "the answer of " + service + " is not valid HTTP/1.1";
    if (code == "response_cut") return "the answer of " + service + " broke off";
    if (code == "attempt_timeout") return service + " did not answer in time";
    return "the connection to " + service + " ended before it answered";
}

} // namespace

Error upstream_error(const Context& context, const std::string& service, const TargetCall& call, const Error& why) {
    if (context.cancelled())
        return context.reason().kind() == Kind::deadline_exceeded ? late(service, call) : context.reason();
    if (why.code() == "no_instance" || why.code() == "circuit_open" || why.code() == "target_busy") return why;
    if (call.reached())
        return Error(Kind::bad_gateway, "upstream_failed", what_failed(service, why.code())).with_no_retry();
    return Error(Kind::bad_gateway, "upstream_unreachable", "no instance of " + service + " could be reached")
        .with_retry_after(std::chrono::seconds(1))
        .with_no_retry();
}

} // namespace flotilla::gateway
