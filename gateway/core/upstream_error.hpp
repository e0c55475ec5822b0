#pragma once

#include <flotilla/resilience/target_call.hpp>

namespace flotilla::gateway {

/// What to answer when a call of a service ended without its answer, and why it did: the service alone is named, the
/// log has the rest. Errors: unavailable `no_instance`, `circuit_open`, `target_busy`; bad_gateway
/// `upstream_unreachable`, `upstream_failed`; deadline_exceeded; the context's reason.
Error upstream_error(const Context& context, const std::string& service, const TargetCall& call, const Error& why);

} // namespace flotilla::gateway
