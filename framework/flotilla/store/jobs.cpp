#include <flotilla/store/jobs.hpp>

#include <algorithm>
#include <map>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/observe/age_gauge.hpp>
#include <flotilla/store/job_table.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRetryMin = 1s;
constexpr Duration kRetryMax = 60s;
constexpr Duration kKeepFinished = 24h;
/// Finished jobs leave a few at a time: no other transaction waits long for that, and more go than can come.
constexpr Duration kForgetEvery = 10s;
constexpr std::int64_t kForgottenAtOnce = 200;
constexpr Duration kCountEvery = 1s;
/// The wall clock decides what is due and may jump: look again at least that often.
constexpr Duration kLookEvery = 60s;
/// How long the database may take to note outcomes while the runner stops.
constexpr Duration kRecordTimeout = 10s;

/// What a round yields.
struct Round {
    jobs::Taken taken;
    std::int64_t forgotten = 0;
};

} // namespace

struct JobRunner::Impl {
    World& world;
    Tenure& tenure;
    Database& database;
    Logger log;
    Metrics& metrics;
    Options options;
    const Handlers handlers;
    Statistics statistics;
    std::string unhandled; ///< kinds of waiting jobs without a handler
    Gauge& queued_gauge;
    Gauge& parked_gauge;
    AgeGauge lag, oldest_retried, oldest_parked;
    std::size_t in_flight = 0;
    std::vector<jobs::Finish> ended; ///< outcomes to be noted
    Instant next_forget{};
    Instant next_count{};
    Event wake;
    Timer timer{world, [](void* self) { static_cast<Impl*>(self)->wake.notify(); }, this};

    Impl(World& world, Tenure& tenure, Handlers handlers, Telemetry& telemetry, Options options);
    /// What waits is the next holder's to tell.
    ~Impl() {
        queued_gauge.set(0);
        parked_gauge.set(0);
    }

    std::vector<std::string> kinds() const;
    Duration jittered_delay(std::int64_t attempts);
    jobs::Finish verdict(const jobs::TakenJob& job, const Result<void>& outcome, bool stopping);
    void report(const Context& context, const jobs::TakenJob& job, const Result<void>& outcome,
                const jobs::Finish& finish);

    task<void> run(Context& context);
    task<void> look_for_work(Scope& scope);
    task<void> recover(Context& context);
    task<Duration> next_round(Scope& scope);
    task<Result<Round>> commit_round(Context& context, std::int64_t room, bool forget);
    void note_failure(const Context& context, const Error& error);
    task<void> count(Context& context);
    void take_counts(const std::vector<jobs::Backlog>& backlog);
    task<void> work_on(Context& parent, jobs::TakenJob job);
    task<Result<void>> attempt(Context& parent, const jobs::TakenJob& job);
};

JobRunner::Impl::Impl(World& w, Tenure& t, Handlers h, Telemetry& telemetry, Options o)
    : world(w), tenure(t), database(t.database()), log(telemetry.log), metrics(telemetry.metrics), options(o),
      handlers(std::move(h)), queued_gauge(metrics.gauge("flotilla_jobs_queued", "Durable jobs waiting for a try")),
      parked_gauge(metrics.gauge("flotilla_jobs_parked", "Durable jobs given up, waiting for a person")),
      lag(world, metrics, "flotilla_jobs_lag_seconds", "How long the job that is due first has waited for its try"),
      oldest_retried(world, metrics, "flotilla_jobs_oldest_retried_seconds",
                     "Age of the oldest job that has failed and waits for another try"),
      oldest_parked(world, metrics, "flotilla_jobs_oldest_parked_seconds",
                    "How long the job that was parked first is parked") {
    next_forget = next_count = world.monotonic();
}

JobRunner::JobRunner(World& world, Tenure& tenure, Handlers handlers, Telemetry& telemetry, Options options)
    : impl_(std::make_unique<Impl>(world, tenure, std::move(handlers), telemetry, options)) {}
JobRunner::~JobRunner() = default;

const JobRunner::Statistics& JobRunner::statistics() const { return impl_->statistics; }

Result<void> JobRunner::health() const {
    if (const auto& why = impl_->statistics.database_error; !why.empty())
        return Error(Kind::unavailable, "the database does not serve the jobs: " + why);
    if (!impl_->unhandled.empty())
        return Error(Kind::unavailable, "jobs wait for which there is no handler: " + impl_->unhandled);
    const auto& now = impl_->statistics;
    const auto age = impl_->lag.age();
    const bool late = age > impl_->options.lag_max;
    if (now.last_error.empty() && now.parked == 0 && !late) return {};
    auto what = std::to_string(now.queued) + " jobs wait";
    if (late) what += ", one has been due for " + in_seconds(age);
    what += ", " + std::to_string(now.parked) + " are parked";
    if (!now.last_error.empty()) what += ": " + now.last_error;
    return Error(Kind::unavailable, std::move(what));
}

task<void> JobRunner::run(Context& context) { return impl_->run(context); }

task<void> JobRunner::Impl::run(Context& context) {
    co_await scoped(context, [this](Scope& scope) { return look_for_work(scope); });
    if (ended.empty()) co_return;
    // Not under the context, which has ended: what has been done must be noted. Left as running, the next holder takes
    // it up.
    Context root(world);
    Context bounded(root, kRecordTimeout);
    if (const auto noted = co_await commit_round(bounded, 0, false); !noted) note_failure(root, noted.error());
}

std::vector<std::string> JobRunner::Impl::kinds() const {
    std::vector<std::string> names;
    for (const auto& [kind, handler] : handlers)
        names.push_back(kind);
    return names;
}

task<void> JobRunner::Impl::look_for_work(Scope& scope) {
    Context& context = scope.context();
    co_await recover(context);
    const auto subscription = database.on_signal("jobs", [this] { wake.notify(); });
    while (!context.cancelled()) {
        const Duration wait = co_await next_round(scope);
        timer.arm(world.monotonic() + wait);
        if (!co_await wake.wait(context)) break;
    }
    timer.disarm();
}

task<void> JobRunner::Impl::recover(Context& context) {
    while (!context.cancelled()) {
        const auto recovered = co_await tenure.transact(context, jobs::Recover{options.attempts_max, tenure.epoch()});
        if (recovered) {
            statistics.database_error.clear();
            if (*recovered > 0)
                log.info(context, "jobs were in flight when their runner ended", {{"jobs", *recovered}});
            co_return;
        }
        statistics.database_error = recovered.error().message();
        log.warning(context, "cannot look after the jobs yet", {{"error", recovered.error().message()}});
        if (!co_await sleep_for(context, kRetryMin)) co_return;
    }
}

/// Notes what has ended, starts what is due and there is room for. Returns when to look again at the latest.
/// What ends while a round is being committed waits for the next one: the busier it is, the more share a commit.
task<Duration> JobRunner::Impl::next_round(Scope& scope) {
    Context& context = scope.context();
    Duration wait = kLookEvery;
    const auto room = static_cast<std::int64_t>(options.concurrency - std::min(in_flight, options.concurrency));
    if (room > 0 || !ended.empty()) { // else whichever ends first wakes us
        const bool forget = world.monotonic() >= next_forget;
        auto round = co_await commit_round(context, room, forget);
        if (!round) {
            note_failure(context, round.error());
            co_return kRetryMin;
        }
        for (auto& job : round->taken.jobs) {
            ++in_flight;
            scope.spawn(work_on(context, std::move(job)));
        }
        // A full step means that there is more.
        const bool more = round->forgotten == kForgottenAtOnce;
        if (forget && !more) next_forget = world.monotonic() + kForgetEvery;
        if (more) wake.notify();
        if (round->taken.next_due) wait = std::clamp<Duration>(*round->taken.next_due - world.now(), 0ns, kLookEvery);
        if (in_flight >= options.concurrency) wait = kLookEvery;
    }
    const bool idle = in_flight == 0 && ended.empty();
    if (idle || world.monotonic() >= next_count) co_await count(context);
    co_return statistics.queued > 0 || !idle ? std::min(wait, kCountEvery) : wait;
}

task<Result<Round>> JobRunner::Impl::commit_round(Context& context, std::int64_t room, bool forget) {
    const auto noting = std::make_shared<const std::vector<jobs::Finish>>(ended);
    const jobs::Forget forgetting{world.now() - kKeepFinished, forget ? kForgottenAtOnce : 0};
    auto round = co_await tenure.transact(
        context,
        [noting, forgetting, take = jobs::TakeDue{kinds(), room, tenure.epoch()}](Transaction& transaction) -> Round {
            jobs::finish(transaction, *noting, take.epoch);
            const auto forgotten = forgetting.count > 0 ? forgetting(transaction) : 0;
            return {.taken = take(transaction), .forgotten = forgotten};
        });
    if (!round) co_return round;
    statistics.database_error.clear();
    // Others may have ended meanwhile, behind these.
    ended.erase(ended.begin(), ended.begin() + static_cast<std::ptrdiff_t>(noting->size()));
    co_return round;
}

void JobRunner::Impl::note_failure(const Context& context, const Error& error) {
    if (context.cancelled()) return; // what has ended is noted at the end
    statistics.database_error = error.message();
    if (ended.empty())
        log.warning(context, "cannot take jobs", {{"error", error.message()}});
    else
        log.error(context, "cannot note the outcome of jobs", {{"jobs", ended.size()}, {"error", error.message()}});
}

task<void> JobRunner::Impl::count(Context& context) {
    next_count = world.monotonic() + kCountEvery;
    const auto backlog = co_await jobs::load_backlog(context, database);
    if (!backlog) {
        if (!context.cancelled()) log.warning(context, "cannot count the jobs", {{"error", backlog.error().message()}});
        co_return;
    }
    const auto oldest = co_await jobs::oldest_retried(context, database);
    if (!oldest) {
        if (!context.cancelled()) log.warning(context, "cannot count the jobs", {{"error", oldest.error().message()}});
        co_return;
    }
    oldest_retried.set(*oldest);
    take_counts(*backlog);
}

void JobRunner::Impl::take_counts(const std::vector<jobs::Backlog>& backlog) {
    statistics.queued = statistics.parked = 0;
    unhandled.clear();
    std::optional<Timestamp> first_due;
    std::optional<Timestamp> first_parked;
    const auto earlier = [](std::optional<Timestamp> a, std::optional<Timestamp> b) {
        return a && b ? std::min(a, b) : a ? a : b;
    };
    for (const auto& kind : backlog) {
        statistics.queued += kind.queued;
        statistics.parked += kind.parked;
        first_due = earlier(first_due, kind.first_due);
        first_parked = earlier(first_parked, kind.parked_since);
        if (kind.queued == 0 || handlers.contains(kind.kind)) continue;
        unhandled += (unhandled.empty() ? "" : ", ") + kind.kind;
    }
    lag.set(first_due);
    oldest_parked.set(first_parked);
    queued_gauge.set(statistics.queued);
    parked_gauge.set(statistics.parked);
}

task<void> JobRunner::Impl::work_on(Context& parent, jobs::TakenJob job) {
    const auto outcome = co_await attempt(parent, job);
    auto finish = verdict(job, outcome, parent.cancelled());
    report(parent, job, outcome, finish);
    ended.push_back(std::move(finish));
    --in_flight;
    wake.notify();
}

task<Result<void>> JobRunner::Impl::attempt(Context& parent, const jobs::TakenJob& job) {
    Context context(parent, options.job_timeout);
    if (const auto trace = TraceContext::parse(job.traceparent); trace.valid()) context.trace = trace.child(world);
    try {
        const JobTry attempted(job.id, tenure.role(), tenure.epoch());
        co_return co_await handlers.find(job.kind)->second(context, job.payload, attempted);
    } catch (const std::exception& exception) {
        co_return Error(Kind::internal, std::string("the job's handler threw: ") + exception.what());
    }
}

Duration JobRunner::Impl::jittered_delay(std::int64_t attempts) {
    Duration limit = kRetryMin;
    for (std::int64_t i = 1; i < attempts && limit < kRetryMax; ++i)
        limit *= 2;
    limit = std::min(limit, kRetryMax);
    return Duration(static_cast<std::int64_t>(world.random() % static_cast<std::uint64_t>(limit.count() + 1)));
}

jobs::Finish JobRunner::Impl::verdict(const jobs::TakenJob& job, const Result<void>& outcome, bool stopping) {
    const Timestamp now = world.now();
    jobs::Finish finish{.id = job.id,
                        .kind = job.kind,
                        .state = "queued",
                        .due_at = now,
                        .attempts = job.attempts,
                        .failures = job.failures};
    if (outcome) {
        finish.state = "done";
        finish.finished_at = now;
        return finish;
    }
    finish.last_error = outcome.error().message();
    const Kind kind = outcome.error().kind();
    if (stopping && (kind == Kind::cancelled || kind == Kind::unavailable || kind == Kind::deadline_exceeded)) {
        // It was we who ended this try: as if it had not been.
        --finish.attempts;
        --finish.failures;
    } else if (kind == Kind::unavailable || kind == Kind::deadline_exceeded) {
        --finish.failures;
        finish.due_at = now + jittered_delay(job.attempts);
    } else if (job.failures >= options.attempts_max) {
        finish.state = "parked";
        finish.finished_at = now;
    } else {
        finish.due_at = now + jittered_delay(job.attempts);
    }
    return finish;
}

void JobRunner::Impl::report(const Context& context, const jobs::TakenJob& job, const Result<void>& outcome,
                             const jobs::Finish& finish) {
    const std::string label = finish.state == "queued" ? "retried" : finish.state;
    metrics
        .counter("flotilla_jobs_tries_total", "Tries of durable jobs by outcome",
                 {{"kind", job.kind}, {"outcome", label}})
        .add();
    if (outcome) {
        statistics.last_error.clear();
        return;
    }
    statistics.last_error = outcome.error().message();
    const auto level = finish.state == "parked" ? LogLevel::error : LogLevel::warning;
    const auto trace = TraceContext::parse(job.traceparent);
    if (!log.enabled(level)) return;
    log.write(level, trace.valid() ? &trace : &context.trace,
              finish.state == "parked" ? "a job is parked" : "a job will be tried again",
              {{"kind", job.kind}, {"job", job.id}, {"attempts", job.attempts}, {"error", outcome.error().message()}});
}

void JobTry::done(Transaction& transaction) const {
    roles::check_epoch(transaction, role_, epoch_);
    if (!jobs::finish_done(transaction, id_, epoch_))
        transaction.fail(Error(Kind::conflict, "job_done", "the job " + id_ + " has its outcome already"));
}

} // namespace flotilla
