#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <flotilla/aio/deadline.hpp>
#include <flotilla/resilience/breaker.hpp>
#include <flotilla/resilience/peak_ewma.hpp>

namespace flotilla {

/// A hash that is the same in every process and build: all callers must send a key to the same instance.
std::uint64_t stable_hash(std::string_view text);

/// What one loop knows about one incarnation of an instance: a new process of the same id is a new record. A record
/// outlives its place in the list of instances while calls to it are under way, so its owner keeps it behind a pointer.
/// Thread-safety: none; one per instance and loop.
struct InstanceState {
    InstanceState(std::string_view id, double its_weight, bool is_in_own_zone)
        : hash(stable_hash(id)), weight(its_weight), own_zone(is_in_own_zone) {}
    InstanceState(const InstanceState&) = delete;
    InstanceState& operator=(const InstanceState&) = delete;

    std::uint64_t hash; ///< of the id, not the incarnation: keys come back to an instance that was restarted
    double weight;      ///< relative to the others; one of zero or less gets calls only when no other is left
    bool own_zone;      ///< or zones are not told apart

    std::size_t in_flight = 0;
    Instant began = Instant::min(); ///< the last call to it
    PeakEwma latency;               ///< of answers that came
    FailureRate failure_rate;
    Breaker breaker;

    Instant full_share_at = Instant::min(); ///< end of its slow start
    bool joined = false;                    ///< was in a list that Balancer::assign() got
    double credit = 0;                      ///< of the policies that go in turn by weight
};

} // namespace flotilla
