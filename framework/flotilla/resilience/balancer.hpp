#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <flotilla/aio/deadline.hpp>
#include <flotilla/resilience/availability.hpp>
#include <flotilla/resilience/instance_state.hpp>
#include <flotilla/resilience/options.hpp>

namespace flotilla {

/// What a call needs of its instance.
struct PickRequest {
    /// Not those: this call has tried them.
    std::span<const InstanceState* const> tried{};
    /// stable_hash() of the key, for consistent_hash; without one that policy draws at random.
    std::optional<std::uint64_t> key{};
    /// The call can be repeated, so it may try out one that is HALF_OPEN. Others do so only when no instance is well.
    bool may_probe = true;
    /// How many would be served before it by an instance (say, uploads that wait there); null: nothing queues there.
    /// Those without a queue are chosen from; when there are none, the one with the shortest.
    std::size_t (*ahead)(const InstanceState& instance) = nullptr;
};

/// Why there is no instance.
enum class NoPick : unsigned char {
    no_instance, ///< the list is empty
    all_tried,   ///< each that may be used was tried
    circuit_open ///< none is well and the options do not want one used nevertheless
};

struct Pick {
    InstanceState* instance = nullptr; ///< null: see why
    NoPick why = NoPick::no_instance;
};

/// A call to an instance, from begin() to end().
struct BalancedCall {
    Breaker::Ticket ticket;
    Instant began;
    bool reported = false;
};

/// Chooses instances of one target and learns from what becomes of the calls to them; the breakers' only user.
///
///     auto pick = balancer.pick({.tried = tried}, now, world.random());
///     auto call = balancer.begin(*pick.instance, now);      // in flight from now on
///     balancer.report(*pick.instance, call, CallOutcome::success, {}, now);  // its head came, or it failed
///     balancer.end(*pick.instance, call, now);              // no longer in flight
///
/// A HALF_OPEN instance that wants a probe gets the next call that may probe. In a panic the instances are used in turn
/// (but by consistent_hash): what was measured while they failed says nothing about who is well first.
/// - peak_ewma: two drawn by weight, the one with the lower of
///   latency × (1 + failure_penalty × failure rate) × (1 + in flight / weight). A failure counts as an answer that took
///   at least what the pool's answers take, so one that fails fast does not look fast. A failure rate below 5 % is
///   noise: it counts as often as there is of it, so one that failed comes back by and by. Of two that cost alike (a
///   fifth more or less) the one is taken that was called longer ago, unless their shares differ.
/// - consistent_hash: the highest hash of key and instance wins (rendezvous): when an instance goes only its own keys
///   move, when one comes it takes its share from all, weights are exact, the next best is where a retry goes, and
///   there is no table to build. It looks at each instance, as do weighted, least_requests and round_robin in a slow
///   start: some nanoseconds each.
/// Nothing allocates once the list of instances is known. Randomness is given: 64 random bits for each pick.
/// Thread-safety: none; one per target and loop.
class Balancer {
public:
    explicit Balancer(TargetOptions options);

    /// Other options from now on.
    void configure(TargetOptions options);
    const TargetOptions& options() const { return options_; }

    /// The instances there are now. Who was not in an earlier list has a slow start, but those of the first list: they
    /// are not new, we are. Requires: each lives until the next assign() and until its last call has ended.
    void assign(std::span<InstanceState* const> instances, Instant now);

    /// The next call's instance.
    Pick pick(const PickRequest& request, Instant now, std::uint64_t random);

    /// A call begins. The instance may have left the list since it was picked; so for the others below.
    BalancedCall begin(InstanceState& instance, Instant now);
    /// What it says about the instance, as soon as that is known: its latency is the time until now. retry_after: as
    /// the answer says; zero: it does not. A failure may follow a success, when an answer breaks off.
    void report(InstanceState& instance, BalancedCall& call, CallOutcome outcome, Duration retry_after, Instant now);
    /// It is over. One that reported nothing says nothing, but that it took so long: of two tries the slower is
    /// cancelled, and its instance is slow all the same.
    void end(InstanceState& instance, BalancedCall& call, Instant now);

    /// A health check of the instance passes again; see Breaker::give_chance().
    void give_chance(InstanceState& instance, Instant now);

    /// As of the last pick(); for metrics and log lines. A breaker's change: instance.breaker.take_change() after
    /// begin(), report(), end(), give_chance() and, for what time brings, pick().
    Availability& availability() { return availability_; }
    /// What an instance costs a call for peak_ewma; for pages that show it.
    double cost(const InstanceState& instance, Instant now) const;
    /// Its part of a full share in a slow start, above 0 to 1.
    double ramp(const InstanceState& instance, Instant now) const;

private:
    struct Draws;
    struct Lot;
    using Candidates = std::span<InstanceState* const>;

    InstanceState* choose(Candidates among, const PickRequest& request, Instant now, Draws& draws);
    InstanceState* choose_by_policy(Candidates among, const PickRequest& request, Instant now, Draws& draws);
    InstanceState* better_of_two(Candidates among, const PickRequest& request, Instant now, Draws& draws) const;
    InstanceState* draw_by_weight(Candidates among, const PickRequest& request, const InstanceState* other_than,
                                  Instant now, Draws& draws) const;
    InstanceState* next_in_turn(Candidates among, const PickRequest& request, Instant now, Draws& draws);
    InstanceState* next_by_weight(Candidates among, const PickRequest& request, Instant now) const;
    InstanceState* fewest_in_flight(Candidates among, const PickRequest& request, Instant now, Draws& draws) const;
    InstanceState* highest_hash(Candidates among, const PickRequest& request) const;
    static InstanceState* shortest_queue(Candidates among, const PickRequest& request);
    double cost_now(const InstanceState& instance, Instant now, Draws& draws) const;
    double cost_with(const InstanceState& instance, double failing, Instant now) const;
    double usual_latency(const InstanceState& instance, Instant now) const;
    double share(const InstanceState& instance, Instant now) const;
    void note_change(InstanceState& instance, Instant now, BreakerState before);

    TargetOptions options_;
    std::vector<InstanceState*> instances_;
    Availability availability_;
    double typical_latency_ = 0; ///< of the pool's good answers, in nanoseconds; 0: none yet
    std::size_t turn_ = 0;
    bool assigned_ = false;
};

} // namespace flotilla
