#include <flotilla/store/projection_runner.hpp>

#include <flotilla/aio/backoff.hpp>
#include <flotilla/aio/event.hpp>
#include <flotilla/observe/age_gauge.hpp>
#include <flotilla/store/checkpoint_table.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;
using checkpoints::Failed;
using checkpoints::Step;

/// Signals tell of events; it also looks by itself.
constexpr Duration kLookEvery = 5s;

/// Why it does not go on.
struct Stop {
    Failed at;
    std::string reason;
    Instant since;
    bool alone = false; ///< the events before it are taken
};

} // namespace

struct ProjectionRunner::Impl {
    Impl(World& world, Tenure& tenure, const EventFollower& follower, bool newest, Telemetry& telemetry,
         Options options);
    ~Impl();

    Labels labels() const {
        return {{"projection", std::string(follower_.name)}, {"version", std::to_string(follower_.version)}};
    }
    std::string name() const;
    task<void> run(Context& context);
    task<Result<bool>> next(Context& context);
    struct Part {
        std::int64_t to, limit;
        bool all;
    };
    Part part_to_take() const;
    task<Result<Step>> take(Context& context, Part part);
    void note_arrival();
    void note_step(const Context& context, const Step& step);
    void note_stop(const Context& context, const Error& error);
    void note_well(const Context& context);
    task<Result<void>> measure(Context& context);
    task<bool> wait(Context& context);
    Result<void> health() const;

    World& world_;
    Tenure& tenure_;
    Database& database_;
    const EventFollower& follower_;
    const bool newest_;
    Logger log_;
    const Options options_;
    Counter& taken_counter_;
    Gauge& stopped_gauge_;
    Gauge& lag_events_;
    AgeGauge lag_;
    Event wake_;
    Backoff backoff_;

    std::optional<std::int64_t> position_; // of the checkpoint; nullopt: not looked at yet
    std::int64_t head_ = 0;
    bool live_ = false;
    bool followed_ = false;
    std::shared_ptr<Failed> failed_ = std::make_shared<Failed>(); // shared with a body that outlives a cancelled wait
    std::optional<Stop> stop_;
};

ProjectionRunner::Impl::Impl(World& world, Tenure& tenure, const EventFollower& follower, bool newest,
                             Telemetry& telemetry, Options options)
    : world_(world), tenure_(tenure), database_(tenure.database()), follower_(follower), newest_(newest),
      log_(telemetry.log), options_(options),
      taken_counter_(telemetry.metrics.counter("flotilla_projection_events_total", "Events taken", labels())),
      stopped_gauge_(
          telemetry.metrics.gauge("flotilla_projection_stopped", "1 while an event cannot be taken", labels())),
      lag_events_(telemetry.metrics.gauge("flotilla_projection_lag_events", "Events not yet taken", labels())),
      lag_(world, telemetry.metrics, "flotilla_projection_lag_seconds", "Age of the oldest event not yet taken",
           labels()),
      backoff_(options.retry_min, options.retry_max) {}

/// What waits is the next holder's to tell.
ProjectionRunner::Impl::~Impl() {
    stopped_gauge_.set(0);
    lag_events_.set(0);
}

/// "the projection order_list 2", for sentences.
std::string ProjectionRunner::Impl::name() const {
    if (follower_.version == 0) return "the subscription " + std::string(follower_.name);
    return "the projection " + std::string(follower_.name) + " " + std::to_string(follower_.version);
}

task<void> ProjectionRunner::Impl::run(Context& context) {
    const auto signal = database_.on_signal(events::kSignal, [this] { note_arrival(); });
    while (!context.cancelled() && !followed_) {
        const auto more = co_await next(context);
        if (context.cancelled() || followed_) break;
        if (!more && !tenure_.lost()) note_stop(context, more.error());
        if (more && *more) continue;
        if (!co_await wait(context)) break;
    }
}

/// For events, or until it is time to look; while it is stopped for the time alone.
task<bool> ProjectionRunner::Impl::wait(Context& context) {
    if (stop_) {
        const auto slept = co_await sleep_for(context, backoff_.next(world_.random()));
        co_return slept.has_value();
    }
    Context bounded(context, kLookEvery);
    (void)co_await wake_.wait(bounded);
    co_return !context.cancelled();
}

/// One transaction, when there is something to take. Returns whether there may be more to do at once.
task<Result<bool>> ProjectionRunner::Impl::next(Context& context) {
    *failed_ = Failed();
    head_ = co_await must(events::head(context, database_));
    const bool nothing = position_ && *position_ >= head_ && (live_ || !newest_);
    if (nothing) {
        note_well(context);
        lag_.set(std::nullopt);
        lag_events_.set(0);
        co_return false;
    }
    const auto part = part_to_take();
    const auto step = co_await must(take(context, part));
    note_step(context, step);
    const bool all = step.taken < part.limit;
    // It is tried at once: the reason may have gone meanwhile.
    const bool alone_next = all && stop_ && !std::exchange(stop_->alone, true);
    co_await must(measure(context));
    co_return !all || alone_next;
}

/// All that waits; while an event cannot be taken, those before it, and then it alone.
ProjectionRunner::Impl::Part ProjectionRunner::Impl::part_to_take() const {
    if (!stop_ || stop_->at.position == 0) return {head_, options_.batch, true};
    if (stop_->alone) return {stop_->at.position, 1, false};
    return {stop_->at.position - 1, options_.batch, false};
}

task<Result<Step>> ProjectionRunner::Impl::take(Context& context, Part part) {
    return tenure_.transact(context, checkpoints::TakeNext{.follower = &follower_,
                                                           .newest = newest_,
                                                           .to = part.to,
                                                           .limit = part.limit,
                                                           .all = part.all,
                                                           .failed = failed_});
}

void ProjectionRunner::Impl::note_arrival() {
    if (!lag_.waits()) lag_.set(world_.now());
    wake_.notify();
}

void ProjectionRunner::Impl::note_step(const Context& context, const Step& step) {
    if (!position_ && step.position < head_) {
        log_.info(context, step.live ? "a projection takes up events" : "a projection is built beside the live one",
                  {{"projection", follower_.name},
                   {"version", follower_.version},
                   {"position", step.position},
                   {"head", head_}});
    }
    position_ = step.position;
    live_ = step.live;
    followed_ = step.followed;
    taken_counter_.add(static_cast<std::uint64_t>(step.taken));
    if (step.swapped) {
        log_.info(context, "a version of a projection has become the live one",
                  {{"projection", follower_.name}, {"version", follower_.version}, {"position", step.position}});
    }
    if (stop_ && step.position >= stop_->at.position) note_well(context);
}

void ProjectionRunner::Impl::note_well(const Context& context) {
    if (!stop_) return;
    log_.info(context, "a projection goes on",
              {{"projection", follower_.name}, {"version", follower_.version}, {"position", *position_}});
    stop_.reset();
    stopped_gauge_.set(0);
    backoff_.reset();
}

/// How far it is behind, for who looks from outside.
task<Result<void>> ProjectionRunner::Impl::measure(Context& context) {
    const auto behind = followed_ ? 0 : std::max<std::int64_t>(head_ - *position_, 0);
    lag_events_.set(behind);
    if (behind == 0) {
        lag_.set(std::nullopt);
        co_return Result<void>();
    }
    lag_.set(co_await must(checkpoints::next_time(context, database_, *position_)));
    co_return Result<void>();
}

void ProjectionRunner::Impl::note_stop(const Context& context, const Error& error) {
    if (position_) lag_events_.set(std::max<std::int64_t>(head_ - *position_, 0));
    const bool same = stop_ && stop_->at.position == failed_->position && stop_->reason == error.message();
    if (same) return;
    const bool another_place = !stop_ || stop_->at.position != failed_->position;
    stop_ = Stop{.at = *failed_,
                 .reason = error.message(),
                 .since = another_place ? world_.monotonic() : stop_->since,
                 .alone = !another_place && stop_->alone};
    stopped_gauge_.set(1);
    log_.error(context, "a projection has stopped; it is tried again until its event can be taken",
               {{"projection", follower_.name},
                {"version", follower_.version},
                {"position", stop_->at.position},
                {"event", stop_->at.what},
                {"reason", stop_->reason}});
}

Result<void> ProjectionRunner::Impl::health() const {
    if (stop_) {
        auto what = name() + " has stopped";
        if (stop_->at.position > 0)
            what += " at position " + std::to_string(stop_->at.position) + " (" + stop_->at.what + ")";
        return Error(Kind::unavailable,
                     what + " " + in_seconds(world_.monotonic() - stop_->since) + " ago: " + stop_->reason);
    }
    const auto age = lag_.age();
    if (live_ && age > options_.lag_max)
        return Error(Kind::unavailable, name() + " is " + in_seconds(age) + " behind the events");
    return {};
}

ProjectionRunner::ProjectionRunner(World& world, Tenure& tenure, const EventFollower& follower, bool newest,
                                   Telemetry& telemetry, Options options)
    : impl_(std::make_unique<Impl>(world, tenure, follower, newest, telemetry, options)) {}
ProjectionRunner::~ProjectionRunner() = default;

task<void> ProjectionRunner::run(Context& context) { co_await impl_->run(context); }
Result<void> ProjectionRunner::health() const { return impl_->health(); }

} // namespace flotilla
