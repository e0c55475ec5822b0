#pragma once

#include <optional>

#include <flotilla/aio/context.hpp>

namespace flotilla {

/// How long the caller of an endpoint that waits (EndpointOptions::waits) wants to wait for the outcome, as its
/// `Prefer: wait=N` says; at most what is left until the request's deadline, less a moment for the answer. Nothing
/// where it does not say.
std::optional<Duration> preferred_wait(const Context& context);

} // namespace flotilla
