#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/duration.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla {

/// When an instance is taken out, and how it comes back; see breaker.hpp.
struct BreakerOptions {
    /// So many failures in a row open it. Five: what the requirements say; fewer would be one packet lost in a burst.
    std::uint32_t failures = 5;
    /// Or so small a part of the calls of `window` that succeed: an instance that fails three in ten hardly ever fails
    /// five in a row. 80 % leaves room for what the callers of one endpoint do wrong.
    double success_rate_min = 0.8;
    /// The rate says nothing about fewer calls than these.
    std::uint32_t calls_min = 20;
    Duration window = std::chrono::seconds(30);
    /// How long it stays OPEN the first time. Each further opening that follows soon doubles it, up to the longest: an
    /// instance that is gone for good costs one probe in five minutes.
    Duration open = std::chrono::seconds(60);
    Duration open_max = std::chrono::seconds(300);
    /// HALF_OPEN: so many calls at once try it out; so many successes close it, one failure opens it again.
    std::uint32_t probes = 1;
    std::uint32_t probe_successes = 3;
    /// A probe that has reported nothing for so long has failed: nothing stays HALF_OPEN because a call got lost.
    Duration probe_timeout = std::chrono::seconds(10);
};

/// Which of the instances may be used when some are out; see availability.hpp.
struct AvailabilityOptions {
    /// At most this part may be out, rounded down. Half: with more of them gone the rest would fall under the load.
    double out_max = 0.5;
    /// When none is well all are used: what is known may be wrong, and only a call can find out. false: the call is
    /// refused at once while none is due for a probe (`circuit_open`).
    bool panic = true;
};

enum class BalancingPolicy : unsigned char {
    peak_ewma,       ///< the better of two drawn at random, by recent latency, requests in flight and failures
    round_robin,     ///< in turn, whatever their weights
    random,          ///< by weight
    weighted,        ///< in turn by weight, spread evenly
    least_requests,  ///< the one with the fewest in flight for its weight
    consistent_hash, ///< by a key: the same instance for the same key as long as it is there
};

/// What hash_by begins with.
inline constexpr std::string_view kHashByHeader = "header:";

/// Among those that may be used, who gets a call; see balancer.hpp.
struct BalancingOptions {
    BalancingPolicy policy = BalancingPolicy::peak_ewma;
    /// For consistent_hash: "header:NAME", of the request; empty: the caller gives the key. Without one it is random.
    std::string hash_by;
    /// Latencies below are alike: what differs there is when who got the CPU.
    Duration latency_floor = std::chrono::milliseconds(5);
    /// How fast slow answers are forgotten (time constant). Five seconds: an instance that takes 100 ms where others
    /// take 1 ms is tried again after 15 s. A single one among good ones is forgotten ten times as fast: 1.5 s.
    Duration latency_decay = std::chrono::seconds(5);
    /// An instance all of whose calls fail counts as so many times slower than it is (0: failures do not matter).
    double failure_penalty = 100;
    /// How fast failures are forgotten (time constant) when no call is there to disprove them.
    Duration failure_decay = std::chrono::seconds(15);
    /// Instances of the own zone are preferred while so large a part of them may be used (more than 1: never).
    double zone_healthy_min = 0.7;
    /// A new or recovered instance gets its full share only after this time; zero: at once. Its caches are cold.
    Duration slow_start = std::chrono::seconds(10);
};

/// Tries after the first; see retry_schedule.hpp.
struct RetryOptions {
    /// Tries after the first, as the requirements say; 0: none.
    std::uint32_t retries = 3;
    /// Inside a request: waits before the same instances are tried again, when none is left that was not tried.
    Duration backoff = std::chrono::milliseconds(50);
    Duration backoff_max = std::chrono::seconds(1);
    /// In the background, where nobody waits: as the requirements say.
    Duration background_backoff = std::chrono::seconds(1);
    Duration background_backoff_max = std::chrono::seconds(30);
};

/// How many retries all callers of a process may make; see retry_budget.hpp.
struct RetryBudgetOptions {
    /// Of the successes of the last `window`. A tenth: retries multiply the load by 1.1 at most, and one bad instance
    /// of five is found out long before that is spent.
    double ratio = 0.1;
    Duration window = std::chrono::seconds(10);
};

/// Calls that may be under way to a target at once, per loop; further ones wait in a queue, beyond it they are refused.
/// As Envoy's defaults: enough for any service that answers, and an end for one that does not.
struct BulkheadOptions {
    std::uint32_t concurrency = 1024;
    std::uint32_t queue = 1024;
};

/// A second try of a call declared idempotent, beside the first when that takes long; see latency_quantile.hpp.
struct HedgingOptions {
    bool enabled = false;
    /// Begun once the first has taken longer than this part of all calls do: 5 % more calls at most.
    double quantile = 0.95;
    /// But never before: below it the second try costs more than it saves.
    Duration delay_min = std::chrono::milliseconds(5);
    /// The quantile says nothing about fewer calls than these.
    std::uint32_t calls_min = 50;
};

struct TimeoutOptions {
    /// Of the whole call, its tries and waits included; the caller's deadline when that is earlier.
    Duration call = std::chrono::seconds(30);
    /// Of one try in the background profile. Inside a request a try has half of what remains.
    Duration attempt = std::chrono::seconds(10);
    /// Waiting for the first instance of a service of which none is known.
    Duration resolve = std::chrono::seconds(2);
};

/// All that can be said about calls to one target. Each value can be set by its key (the member's path), from YAML
/// (`targets:`) and KV alike.
struct TargetOptions {
    BreakerOptions breaker;
    AvailabilityOptions availability;
    BalancingOptions balancing;
    RetryOptions retry;
    RetryBudgetOptions budget;
    BulkheadOptions bulkhead;
    HedgingOptions hedging;
    TimeoutOptions timeouts;
};

/// "peak_ewma".
std::string_view name(BalancingPolicy policy);

/// Sets one value from its text: `set_target_option(options, "breaker.open", "30s")`. Durations as in "250ms", parts of
/// a whole as "80%" or "0.8", flags as true or false, names of policies as above.
/// Errors: invalid `invalid_configuration`: an unknown key with the nearest valid one; a wrong value with key, value
/// and range. The options are then as before.
Result<void> set_target_option(TargetOptions& options, std::string_view key, std::string_view value);

/// What single values cannot tell: breaker.open_max is not below breaker.open and the like. After all were set.
/// Errors: invalid `invalid_configuration`, naming both keys and values.
Result<void> check_target_options(const TargetOptions& options);

/// Whether an option is of each call (retry, hedging, timeouts), and not of what all calls to a target share: only such
/// a one can be said for a single endpoint. An unknown key: false.
bool is_option_of_calls(std::string_view key);
/// Whether an option can change while the program runs. Not so what sizes are made of: bulkhead.*, budget.window.
bool is_changeable_option(std::string_view key);

/// All keys in the order of TargetOptions, e.g. for the message about an unknown one.
const std::vector<std::string_view>& target_option_keys();

/// Visits every key with its value in force, as set_target_option() takes it: for the page that shows them.
void for_each_target_option(const TargetOptions& options,
                            const std::function<void(std::string_view key, const std::string& value)>& visit);

} // namespace flotilla
