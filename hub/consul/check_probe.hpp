#pragma once

#include <flotilla/http/client.hpp>

#include "hub/consul/model.hpp"

namespace flotilla::hub::consul {

struct ProbeOutcome {
    CheckStatus status = CheckStatus::critical;
    std::string output;
};

/// Runs an HTTP or TCP check once, within its timeout (10 s unless it says otherwise). HTTP: 2xx passes, 429 warns,
/// anything else is critical, as in Consul.
task<ProbeOutcome> probe(Context& context, http::Client& http, CheckDefinition check);

} // namespace flotilla::hub::consul
