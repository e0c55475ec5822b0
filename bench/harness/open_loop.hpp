#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace flotilla::bench {

/// One kind of request among those that are sent.
struct Stream {
    std::string name;                     ///< "critical"
    double share = 1;                     ///< of all requests
    std::function<std::string()> request; ///< the next one to be sent
};

/// How far a load has come.
struct OpenProgress {
    std::chrono::duration<double> passed{0}; ///< of `seconds`
    std::uint64_t sent = 0, served = 0, failed = 0;
    double p50_us = 0, p99_us = 0; ///< of those served so far
};

/// Load that does not wait for answers, as that of many independent clients: requests are sent at random instants
/// (Poisson), whatever became of those before, each on a connection that is idle or on a new one. HTTP/1.1 only.
struct OpenLoad {
    std::uint16_t port = 0;
    std::vector<Stream> streams;
    double per_second = 100;
    std::chrono::duration<double> seconds{2};   ///< measured, after `warm_up`
    std::chrono::duration<double> warm_up{0.5}; ///< not counted
    std::chrono::duration<double> patience{1};  ///< then a client closes its connection: nobody waits any more
    std::uint64_t seed = 1;
    /// Answers other than 2xx and 503, and connections that break, are counted as failures. Otherwise they end the
    /// load.
    bool counts_failures = false;
    std::function<void(const OpenProgress&)> report = {}; ///< called twice a second while it is measured
};

/// What became of the requests of one stream. What is in none of the other numbers was given up by its client.
struct StreamOutcome {
    std::uint64_t sent = 0;
    std::uint64_t served = 0;                      ///< 2xx
    std::uint64_t refused = 0;                     ///< 503
    std::map<std::string, std::uint64_t> failures; ///< by what was answered instead: "404 Not Found"; "no connection"
    std::vector<float> latencies_us;               ///< of those served, since the instant at which they were to be sent
    double share_served() const { return sent == 0 ? 0 : static_cast<double>(served) / static_cast<double>(sent); }
    double share_refused() const { return sent == 0 ? 0 : static_cast<double>(refused) / static_cast<double>(sent); }
    std::uint64_t failed() const;
    std::uint64_t given_up() const { return sent - served - refused - failed(); }
};

struct OpenOutcome {
    std::vector<StreamOutcome> streams; ///< in the order of the load's
    double served_per_second = 0;       ///< all streams together: the goodput
    double p50_us = 0, p99_us = 0;      ///< of those served
};

/// Runs the load from this thread, which it keeps busy. Throws std::runtime_error for any other answer and
/// when nothing at all is served, unless failures are counted.
OpenOutcome run_open_loop(const OpenLoad& load);

} // namespace flotilla::bench
