#include <flotilla/node/load_shedder.hpp>

#include <algorithm>

#include <flotilla/observe/slow_requests.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kPunctualShare = 8; ///< at most one of so many is punctual while "nearly all" are late
constexpr Duration kOrderTime = 20ms;       ///< how long a refusal holds for what is less critical
constexpr int kProgressShare = 8;           ///< of the wait allowed: so long each turn begins requests at any rate

/// How long a request may have waited to be begun by a loop that cannot keep up, in shares of the time at which
/// shedding begins (20 ms). Short for most: the longer the queue that is kept, the later all answers are, and no more
/// of them are given. But a loop that is asked for little more than it can do would idle between bursts: each step of
/// `ease` doubles what most may wait, up to the time at which shedding begins. What is critical waits as long as
/// anybody may want its answer.
Duration wait_allowed(Criticality criticality, Duration begin, int ease) {
    switch (criticality) {
    case Criticality::sheddable:
        return begin / 16 * (1 << ease);
    case Criticality::normal:
        return begin / 8 * (1 << ease);
    case Criticality::critical:
        return begin * 10;
    }
    return {};
}

std::size_t index(Criticality criticality) { return static_cast<std::size_t>(criticality); }

} // namespace

LoadShedder::LoadShedder(World& world, Telemetry& telemetry, Duration begin, std::string loop)
    : world_(world), log_(telemetry.log), begin_(begin), loop_(std::move(loop)),
      active_(telemetry.metrics.gauge("flotilla_load_shedding", "1 while the loop refuses requests for overload.",
                                      {{"loop", loop_}})),
      look_(world, &LoadShedder::on_look, this) {
    for (std::size_t i = 0; i < kCriticalities; ++i) {
        shed_total_[i] = &telemetry.metrics.counter("flotilla_requests_shed_total", "Requests refused for overload.",
                                                    {{"criticality", std::string(name(static_cast<Criticality>(i)))}});
    }
}

Result<void> LoadShedder::decide(const Context& context, const World::Backlog& backlog) {
    // An exact clock where every millisecond counts; the cached one may be behind by a tick.
    const Instant now = shedding_ ? world_.refresh() : world_.monotonic();
    if (!shedding_) watch(backlog, now);
    if (!shedding_ || may_begin(context.criticality, backlog, now)) return {};
    const auto level = index(context.criticality);
    refused_at_[level] = now;
    ++refused_[level];
    shed_total_[level]->add();
    return overloaded;
}

void LoadShedder::watch(const World::Backlog& backlog, Instant now) {
    const Duration waited = now - backlog.since;
    if (waited < begin_) {
        if (late_ > 0 && ++punctual_ * kPunctualShare > late_) late_ = punctual_ = 0;
        return;
    }
    if (std::exchange(turn_, backlog.looked) != backlog.looked) late_in_turn_ = 0;
    const int no_queue = waited < begin_ * kLongWait ? kQueueMin : kFew;
    if (++late_in_turn_ <= no_queue) return;
    // Later than the last late one and all that came close behind it: another matter.
    if (backlog.since > std::exchange(last_late_, now) + kSustained / 2) late_ = punctual_ = 0;
    if (late_ == 0) late_since_ = now;
    late_ += late_in_turn_ == no_queue + 1 ? no_queue + 1 : 1; // now the first count as well
    if (now - late_since_ >= kSustained) begin_shedding(waited);
}

bool LoadShedder::may_begin(Criticality criticality, const World::Backlog& backlog, Instant now) const {
    for (std::size_t above = index(criticality) + 1; above < kCriticalities; ++above) {
        if (refused_[above] > 0 && now - refused_at_[above] < kOrderTime) return false;
    }
    const Duration allowed = wait_allowed(criticality, begin_, ease_);
    return now - backlog.since < allowed || now - backlog.looked < allowed / kProgressShare;
}

void LoadShedder::begin_shedding(Duration waited) {
    shedding_ = true;
    ease_ = 0;
    late_ = punctual_ = 0;
    const Instant now = world_.refresh();
    idle_ = world_.backlog().idle;
    look_.arm(now + kLook);
    if (std::exchange(in_overload_, true)) return;
    refused_ = {};
    began_ = now;
    active_.set(1);
    log_.warning("load shedding began", {{"loop", loop_}, {"waited_ms", log_ms(waited)}});
}

void LoadShedder::on_look(void* self) { static_cast<LoadShedder*>(self)->look(); }

void LoadShedder::look() {
    const Instant now = world_.monotonic();
    if (shedding_) adapt(now);
    if (!shedding_ && now - calm_since_ >= kCalm) return end_overload(now);
    look_.arm(now + kLook);
}

/// A loop that sleeps could do more: longer waits are allowed then, and at last all. Else shorter ones.
void LoadShedder::adapt(Instant now) {
    const Duration idle = world_.backlog().idle;
    const Duration slept = idle - std::exchange(idle_, idle);
    if (slept * kIdleShare < now - (look_.at() - kLook)) {
        ease_ = std::max(ease_ - 1, 0);
    } else if (ease_ < kEaseMax) {
        ++ease_;
    } else {
        shedding_ = false;
        calm_since_ = now;
    }
}

void LoadShedder::end_overload(Instant now) {
    in_overload_ = false;
    active_.set(0);
    log_.info("load shedding ended", {{"loop", loop_},
                                      {"lasted_ms", log_ms(now - began_)},
                                      {"shed_sheddable", refused_[index(Criticality::sheddable)]},
                                      {"shed_normal", refused_[index(Criticality::normal)]},
                                      {"shed_critical", refused_[index(Criticality::critical)]}});
}

} // namespace flotilla
