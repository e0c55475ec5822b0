#include <flotilla/resilience/balancer.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace flotilla {
namespace {

constexpr double kNoise = 0.05;         ///< a failure rate below is
constexpr double kRampMin = 0.1;        ///< of a full share, at the beginning of a slow start
constexpr double kTypicalWeight = 0.05; ///< of one answer in what the pool's answers take
constexpr double kShareMin = 1e-6;      ///< what a weight of zero or less counts as where it divides
constexpr double kAlike = 0.8;          ///< costs that differ by less are alike
constexpr int kDrawsMax = 8;            ///< by chance, before each instance is looked at

/// The finaliser of MurmurHash3 (splitmix64's variant): each bit of the input changes half of those of the output.
std::uint64_t mixed(std::uint64_t bits) {
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
    return bits ^ (bits >> 31);
}

bool was_tried(const InstanceState& instance, const PickRequest& request) {
    return !request.tried.empty() && std::ranges::find(request.tried, &instance) != request.tried.end();
}

/// By a policy; when there is a queue at all of them, see shortest_queue().
bool may_choose(const InstanceState& instance, const PickRequest& request) {
    return !was_tried(instance, request) && (request.ahead == nullptr || request.ahead(instance) == 0);
}

/// Above 0, below 1.
double fraction(std::uint64_t bits) { return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52; }

} // namespace

std::uint64_t stable_hash(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return mixed(hash);
}

/// As much randomness as a pick needs out of the 64 bits that it is given (splitmix64).
struct Balancer::Draws {
    std::uint64_t state;

    std::uint64_t next() { return mixed(state += 0x9e3779b97f4a7c15); }
    std::size_t below(std::size_t count) { return static_cast<std::size_t>((next() >> 32) * count >> 32); }
    bool happens(double probability) { return probability >= 1 || fraction(next()) < probability; }
};

/// One of several, each as likely as its part says, in one pass.
struct Balancer::Lot {
    InstanceState* winner = nullptr;
    double parts = 0;

    void enter(InstanceState* instance, double part, Draws& draws) {
        parts += part;
        if (winner == nullptr || draws.happens(part / parts)) winner = instance;
    }
};

Balancer::Balancer(TargetOptions options) : options_(std::move(options)) {}

void Balancer::configure(TargetOptions options) {
    options_ = std::move(options);
    availability_.invalidate();
}

void Balancer::assign(std::span<InstanceState* const> instances, Instant now) {
    instances_.assign(instances.begin(), instances.end());
    for (auto* instance : instances_) {
        if (!std::exchange(instance->joined, true) && assigned_)
            instance->full_share_at = now + options_.balancing.slow_start;
    }
    assigned_ = assigned_ || !instances_.empty();
    availability_.invalidate();
}

Pick Balancer::pick(const PickRequest& request, Instant now, std::uint64_t random) {
    if (instances_.empty()) return {nullptr, NoPick::no_instance};
    availability_.refresh(options_, instances_, now);
    // In a panic they go in turn, or the first to recover would get all calls.
    if (availability_.usable().empty() || (request.may_probe && !availability_.panic())) {
        for (auto* instance : availability_.half_open())
            if (instance->breaker.wants_probe(options_.breaker) && !was_tried(*instance, request)) return {instance};
    }
    const auto usable = availability_.usable();
    // A key has one instance whoever asks, so the asker's zone does not count.
    const bool by_key = options_.balancing.policy == BalancingPolicy::consistent_hash;
    const auto preferred = by_key ? usable : availability_.preferred();
    Draws draws{random};
    auto* chosen = choose(preferred, request, now, draws);
    if (chosen == nullptr && preferred.size() < usable.size()) chosen = choose(usable, request, now, draws);
    return {chosen, usable.empty() ? NoPick::circuit_open : NoPick::all_tried};
}

InstanceState* Balancer::choose(Candidates among, const PickRequest& request, Instant now, Draws& draws) {
    auto* chosen = choose_by_policy(among, request, now, draws);
    return chosen == nullptr && request.ahead != nullptr ? shortest_queue(among, request) : chosen;
}

InstanceState* Balancer::choose_by_policy(Candidates among, const PickRequest& request, Instant now, Draws& draws) {
    const auto policy = options_.balancing.policy;
    if (policy == BalancingPolicy::consistent_hash && request.key) return highest_hash(among, request);
    if (availability_.panic() || policy == BalancingPolicy::round_robin)
        return next_in_turn(among, request, now, draws);
    switch (policy) {
    case BalancingPolicy::weighted:
        return next_by_weight(among, request, now);
    case BalancingPolicy::least_requests:
        return fewest_in_flight(among, request, now, draws);
    case BalancingPolicy::peak_ewma:
        return better_of_two(among, request, now, draws);
    default:
        return draw_by_weight(among, request, nullptr, now, draws);
    }
}

InstanceState* Balancer::better_of_two(Candidates among, const PickRequest& request, Instant now, Draws& draws) const {
    auto* first = draw_by_weight(among, request, nullptr, now, draws);
    if (first == nullptr) return nullptr;
    auto* second = draw_by_weight(among, request, first, now, draws);
    if (second == nullptr) return first;
    const auto of_first = cost_now(*first, now, draws), of_second = cost_now(*second, now, draws);
    if (of_first < kAlike * of_second) return first;
    if (of_second < kAlike * of_first) return second;
    // Chance alone would give one of four a tenth more than its share of a thousand calls. Where shares differ, it is
    // being drawn first that is as likely as they say.
    return second->began < first->began && share(*second, now) == share(*first, now) ? second : first;
}

InstanceState* Balancer::draw_by_weight(Candidates among, const PickRequest& request, const InstanceState* other_than,
                                        Instant now, Draws& draws) const {
    if (among.empty()) return nullptr;
    for (int i = 0; i < kDrawsMax; ++i) {
        auto* drawn = among[draws.below(among.size())];
        if (drawn == other_than || !may_choose(*drawn, request)) continue;
        const auto part = share(*drawn, now), whole = availability_.weight_max();
        if (part >= whole || draws.happens(part / whole)) return drawn;
    }
    Lot lot;
    for (auto* instance : among) {
        if (instance != other_than && may_choose(*instance, request)) lot.enter(instance, share(*instance, now), draws);
    }
    return lot.winner;
}

InstanceState* Balancer::next_in_turn(Candidates among, const PickRequest& request, Instant now, Draws& draws) {
    InstanceState* passed_over = nullptr;
    for (std::size_t i = 0; i < among.size(); ++i) {
        auto* instance = among[turn_++ % among.size()];
        if (!may_choose(*instance, request)) continue;
        if (draws.happens(ramp(*instance, now))) return instance;
        if (passed_over == nullptr) passed_over = instance;
    }
    return passed_over;
}

InstanceState* Balancer::next_by_weight(Candidates among, const PickRequest& request, Instant now) const {
    InstanceState* next = nullptr;
    double total = 0;
    for (auto* instance : among) {
        if (!may_choose(*instance, request)) continue;
        const auto gained = share(*instance, now);
        instance->credit += gained;
        total += gained;
        if (next == nullptr || instance->credit > next->credit) next = instance;
    }
    if (next != nullptr) next->credit -= total;
    return next;
}

InstanceState* Balancer::fewest_in_flight(Candidates among, const PickRequest& request, Instant now,
                                          Draws& draws) const {
    Lot lot;
    double fewest = std::numeric_limits<double>::infinity();
    for (auto* instance : among) {
        if (!may_choose(*instance, request)) continue;
        const auto part = share(*instance, now);
        const auto load = static_cast<double>(instance->in_flight) / std::max(part, kShareMin);
        if (load > fewest) continue;
        if (load < fewest) lot = {};
        fewest = load;
        lot.enter(instance, part, draws);
    }
    return lot.winner;
}

InstanceState* Balancer::highest_hash(Candidates among, const PickRequest& request) const {
    const bool by_weight = availability_.weights_differ();
    InstanceState* best = nullptr;
    double smallest = std::numeric_limits<double>::infinity();
    for (auto* instance : among) {
        if (!may_choose(*instance, request)) continue;
        // The smallest of exponentially distributed numbers: each wins as often as its weight says. Among equals the
        // order is that of the fractions themselves, so callers who know of other weights agree.
        const auto drawn = fraction(mixed(instance->hash ^ *request.key));
        const auto score = by_weight ? -std::log(drawn) / std::max(instance->weight, kShareMin) : 1 - drawn;
        if (score >= smallest) continue;
        smallest = score;
        best = instance;
    }
    return best;
}

InstanceState* Balancer::shortest_queue(Candidates among, const PickRequest& request) {
    InstanceState* best = nullptr;
    std::size_t shortest = 0;
    for (auto* instance : among) {
        if (was_tried(*instance, request)) continue;
        const auto ahead = request.ahead(*instance);
        if (best != nullptr && ahead >= shortest) continue;
        best = instance;
        shortest = ahead;
    }
    return best;
}

BalancedCall Balancer::begin(InstanceState& instance, Instant now) {
    const auto before = instance.breaker.state();
    ++instance.in_flight;
    instance.began = now;
    const BalancedCall call{.ticket = instance.breaker.begin(options_.breaker, now), .began = now};
    if (call.ticket.probe) availability_.invalidate(); // its time limit is now what comes next
    note_change(instance, now, before);
    return call;
}

void Balancer::report(InstanceState& instance, BalancedCall& call, CallOutcome outcome, Duration retry_after,
                      Instant now) {
    if (call.reported && outcome != CallOutcome::failure) return;
    call.reported = true;
    const auto before = instance.breaker.state();
    const auto& options = options_.balancing;
    const auto latency = now - call.began;
    if (outcome == CallOutcome::success) {
        instance.latency.observe(latency, options.latency_decay, now);
        const auto weight = typical_latency_ == 0 ? 1 : kTypicalWeight;
        typical_latency_ += (static_cast<double>(latency.count()) - typical_latency_) * weight;
        instance.failure_rate.observe(false, {}, options.failure_decay, now);
    }
    if (outcome == CallOutcome::failure) {
        const auto typical = Duration(static_cast<Duration::rep>(typical_latency_));
        instance.latency.observe(std::max(latency, typical), options.latency_decay, now);
    }
    if (outcome == CallOutcome::failure || outcome == CallOutcome::overloaded)
        instance.failure_rate.observe(true, retry_after, options.failure_decay, now);
    if (outcome == CallOutcome::ignored && static_cast<double>(latency.count()) > usual_latency(instance, now))
        instance.latency.observe(latency, options.latency_decay, now); // it would have taken longer still
    instance.breaker.report(options_.breaker, call.ticket, outcome, now);
    note_change(instance, now, before);
}

void Balancer::end(InstanceState& instance, BalancedCall& call, Instant now) {
    report(instance, call, CallOutcome::ignored, {}, now);
    --instance.in_flight;
}

void Balancer::give_chance(InstanceState& instance, Instant now) {
    const auto before = instance.breaker.state();
    instance.breaker.give_chance(now);
    note_change(instance, now, before);
}

void Balancer::note_change(InstanceState& instance, Instant now, BreakerState before) {
    const auto state = instance.breaker.state();
    if (state == before) return;
    availability_.invalidate();
    if (state != BreakerState::closed) return;
    instance.full_share_at = now + options_.balancing.slow_start;
    instance.failure_rate = {}; // of before it recovered
}

double Balancer::ramp(const InstanceState& instance, Instant now) const {
    if (now >= instance.full_share_at) return 1;
    const auto left = static_cast<double>((instance.full_share_at - now).count());
    const auto whole = static_cast<double>(options_.balancing.slow_start.count());
    return std::max(1 - left / whole, kRampMin);
}

double Balancer::share(const InstanceState& instance, Instant now) const {
    return std::max(instance.weight, 0.0) * ramp(instance, now);
}

double Balancer::usual_latency(const InstanceState& instance, Instant now) const {
    const auto decay = options_.balancing.latency_decay;
    return instance.latency.known() ? instance.latency.value(decay, now) : typical_latency_;
}

double Balancer::cost(const InstanceState& instance, Instant now) const {
    const auto failing = instance.failure_rate.value(options_.balancing.failure_decay, now);
    return cost_with(instance, failing < kNoise ? 0 : failing, now);
}

/// One that failed a while ago comes back by and by: noise counts as often as there is of it.
double Balancer::cost_now(const InstanceState& instance, Instant now, Draws& draws) const {
    const auto failing = instance.failure_rate.value(options_.balancing.failure_decay, now);
    const bool counts = failing > 0 && draws.happens(failing / kNoise);
    return cost_with(instance, counts ? failing : 0, now);
}

double Balancer::cost_with(const InstanceState& instance, double failing, Instant now) const {
    const auto& options = options_.balancing;
    const auto queue = instance.in_flight == 0
                           ? 0
                           : static_cast<double>(instance.in_flight) / std::max(share(instance, now), kShareMin);
    const auto floor = static_cast<double>(options.latency_floor.count());
    const bool fast = instance.latency.known() && instance.latency.largest() <= floor; // without an exponential
    return (fast ? floor : std::max(usual_latency(instance, now), floor)) * (1 + failing * options.failure_penalty) *
           (1 + queue);
}

} // namespace flotilla
