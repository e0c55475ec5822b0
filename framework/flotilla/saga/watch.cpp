#include <flotilla/saga/watch.hpp>

#include <algorithm>

#include <flotilla/observe/age_gauge.hpp>

namespace flotilla::saga {
namespace {

using namespace std::chrono_literals;

constexpr Duration kCountEvery = 1s;
/// With nothing in flight nothing can become stuck.
constexpr Duration kCountIdleEvery = 60s;
constexpr Duration kForgetEvery = 60s;
constexpr std::int64_t kForgottenAtOnce = 200;
constexpr std::int64_t kToldAtOnce = 100;
constexpr std::int64_t kCountedMost = 100'000;

std::string in_words(const Instance& saga, Timestamp now) {
    return saga.definition + " " + saga.id + " at " + saga.step + " since " + in_seconds(now - saga.progressed_at) +
           ": " + saga.reason.value_or("its command has no answer yet");
}

} // namespace

Watch::Watch(World& world, Tenure& tenure, Telemetry& telemetry, Duration keep)
    : world_(world), tenure_(tenure), log_(telemetry.log), metrics_(telemetry.metrics), keep_(keep),
      stuck_gauge_(metrics_.gauge("flotilla_sagas_stuck",
                                  "Sagas of which no step has ended for twice the current one's timeout")) {
    next_count_ = next_forget_ = world.monotonic();
}

Watch::~Watch() {
    stuck_gauge_.set(0);
    for (auto& each : counts_)
        each.running = each.compensating = each.parked = 0;
    for (const auto& each : counts_) {
        for (const char* status : {"running", "compensating", "parked"})
            metrics_
                .gauge("flotilla_sagas", "Sagas that have not ended", {{"saga", each.definition}, {"status", status}})
                .set(0);
    }
}

task<Result<void>> Watch::look(Context& context) {
    if (world_.monotonic() >= next_count_) {
        co_await must(count(context));
        co_await must(look_for_stuck(context));
        next_count_ = world_.monotonic() + (in_flight_ > 0 ? kCountEvery : kCountIdleEvery);
    }
    if (world_.monotonic() >= next_forget_) co_await must(forget(context));
    co_return Result<void>();
}

Duration Watch::wait() const {
    return std::max<Duration>(std::min(next_count_, next_forget_) - world_.monotonic(), 0ns);
}

task<Result<void>> Watch::count(Context& context) {
    counts_ = co_await must(table::counts(context, tenure_.database()));
    in_flight_ = parked_ = 0;
    first_parked_.clear();
    for (const auto& each : counts_) {
        in_flight_ += each.running + each.compensating;
        parked_ += each.parked;
        const auto show = [&](const char* status, std::int64_t value) {
            metrics_
                .gauge("flotilla_sagas", "Sagas that have not ended", {{"saga", each.definition}, {"status", status}})
                .set(value);
        };
        show("running", each.running);
        show("compensating", each.compensating);
        show("parked", each.parked);
        if (each.parked == 0 || !first_parked_.empty()) continue;
        const auto first =
            co_await must(table::list(context, tenure_.database(), Status::parked, each.definition, "", 1));
        if (!first.empty()) first_parked_ = in_words(first.front(), world_.now());
    }
    co_return Result<void>();
}

/// Each is told of once until it goes on: what became stuck since it last looked.
task<Result<void>> Watch::look_for_stuck(Context& context) {
    const auto now = world_.now();
    auto& database = tenure_.database();
    stuck_ = in_flight_ == 0 ? 0 : co_await must(table::count_stuck(context, database, now, kCountedMost));
    stuck_gauge_.set(stuck_);
    first_stuck_.clear();
    if (stuck_ == 0) co_return Result<void>();
    const auto first = co_await must(table::stuck(context, database, now, Timestamp(0), "", 1));
    if (!first.empty()) first_stuck_ = in_words(first.front(), now);
    const auto fresh = co_await must(table::stuck(context, database, now, told_until_, told_id_, kToldAtOnce));
    for (const auto& saga : fresh) {
        log_.warning(context, "a saga makes no progress",
                     {{"saga", saga.definition},
                      {"id", saga.id},
                      {"step", saga.step},
                      {"since", in_seconds(now - saga.progressed_at)},
                      {"reason", saga.reason.value_or("its command has no answer yet")}});
        told_until_ = *saga.stuck_at;
        told_id_ = saga.id;
    }
    co_return Result<void>();
}

task<Result<void>> Watch::forget(Context& context) {
    const auto forgotten =
        co_await must(tenure_.transact(context, table::Forget{world_.now() - keep_, kForgottenAtOnce}));
    // A full step means that there are more.
    next_forget_ = world_.monotonic() + (forgotten == kForgottenAtOnce ? Duration(50ms) : kForgetEvery);
    co_return Result<void>();
}

Result<void> Watch::health() const {
    std::string what;
    if (parked_ > 0) what = std::to_string(parked_) + " sagas are parked, as " + first_parked_;
    if (stuck_ > 0) {
        what += (what.empty() ? "" : "; ") + std::to_string(stuck_) + " sagas make no progress, as " + first_stuck_;
    }
    if (what.empty()) return {};
    return Error(Kind::unavailable, std::move(what));
}

} // namespace flotilla::saga
