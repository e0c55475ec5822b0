#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace flotilla::bench {

/// One kind of request among those that are sent.
struct Stream {
    std::string name;    ///< "critical"
    double share = 1;    ///< of all requests
    std::string request; ///< sent as it is
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
};

/// What became of the requests of one stream. What is in none of the last three was given up by its client.
struct StreamOutcome {
    std::uint64_t sent = 0;
    std::uint64_t served = 0;  ///< 2xx
    std::uint64_t refused = 0; ///< 503
    double share_served() const { return sent == 0 ? 0 : static_cast<double>(served) / static_cast<double>(sent); }
    double share_refused() const { return sent == 0 ? 0 : static_cast<double>(refused) / static_cast<double>(sent); }
};

struct OpenOutcome {
    std::vector<StreamOutcome> streams; ///< in the order of the load's
    double served_per_second = 0;       ///< all streams together: the goodput
    double p50_us = 0, p99_us = 0;      ///< of those served, since the instant at which they were to be sent
};

/// Runs the load from this thread, which it keeps busy. Throws std::runtime_error for any other answer, and when
/// nothing at all is served.
OpenOutcome run_open_loop(const OpenLoad& load);

} // namespace flotilla::bench
