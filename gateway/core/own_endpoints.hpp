#pragma once

#include <string>
#include <string_view>

#include <flotilla/http/exchange.hpp>
#include <flotilla/observe/metrics.hpp>
#include <flotilla/node/health.hpp>

namespace flotilla::gateway {

/// The gateway's own paths: /livez, /readyz, /healthz, /metrics (kOwnPages). Routes cannot take them.
/// Thread-safety: none; one per loop.
class OwnEndpoints {
public:
    OwnEndpoints(const HealthChecks& health, const Metrics& metrics) : health_(health), metrics_(metrics) {}

    /// Requires: `path` is "*" or one of kOwnPages.
    task<void> answer(Context& context, http::Exchange& exchange, std::string_view path);

    void set_identity(std::string instance, std::string version);
    void set_draining() { draining_ = true; }

private:
    const HealthChecks& health_;
    const Metrics& metrics_;
    std::string instance_;
    std::string version_;
    bool draining_ = false;
};

} // namespace flotilla::gateway
