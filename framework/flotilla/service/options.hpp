#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include <flotilla/base/duration.hpp>
#include <flotilla/node/options.hpp>
#include <flotilla/resilience/target_configuration.hpp>

namespace flotilla {

/// How one instance of a service runs. Filled from flags and FLOTILLA_... variables by run(), or by a test.
struct HostOptions {
    NodeOptions node;
    std::string database = {};                       ///< URL; empty: "sqlite:<data>/<service>.db"
    bool read_only = false;                          ///< the database is opened for reading, and nothing is served
    std::string bus = "redis://127.0.0.1:6380";      ///< URL
    std::uint64_t body_bytes_max = 10 * 1024 * 1024; ///< of a request whose endpoint declares no limit of its own
    int access_log_sample = 100; ///< one of this many requests is logged; slow ones and those from 500 on always are
    Duration slow_request = std::chrono::milliseconds(500); ///< slower ones are logged with where the time went; 0: off
    Duration lag_max = std::chrono::seconds(60); ///< events and jobs that wait longer are a reason in /readyz
    std::map<std::string, std::string, std::less<>> settings = {}; ///< the service's own: `--set smtp=smtp://...`
    TargetConfiguration targets = {};                       ///< of its calls: `--target user-service.retry.retries=1`
    std::set<std::string, std::less<>> flag_variables = {}; ///< that stand for flags: no setting of a service is meant
};

} // namespace flotilla
