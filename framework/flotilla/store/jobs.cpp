#include <flotilla/store/jobs.hpp>

#include <algorithm>
#include <map>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/store/job_table.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRetryMin = 1s;
constexpr Duration kRetryMax = 60s;
constexpr Duration kKeepFinished = 24h;
constexpr Duration kForgetEvery = 1h;
constexpr Duration kCountEvery = 1s;
/// The wall clock decides what is due and may jump: look again at least that often.
constexpr Duration kLookEvery = 60s;
/// How long the database may take to note an outcome before the note is tried again.
constexpr Duration kRecordTimeout = 10s;

} // namespace

struct JobRunner::Impl {
    World& world;
    Database& database;
    Logger log;
    Metrics& metrics;
    Options options;
    std::map<std::string, Handler, std::less<>> handlers;
    Statistics statistics;
    std::string unhandled; ///< kinds of waiting jobs without a handler
    std::size_t in_flight = 0;
    Instant next_forget{};
    Instant next_count{};
    Event wake;
    Timer timer{world, [](void* self) { static_cast<Impl*>(self)->wake.notify(); }, this};

    Impl(World& w, Database& d, Logger l, Metrics& m, Options o)
        : world(w), database(d), log(std::move(l)), metrics(m), options(o) {
        next_forget = next_count = world.monotonic();
    }

    std::vector<std::string> kinds() const;
    Duration jittered_delay(std::int64_t attempts);
    jobs::Finish verdict(const jobs::TakenJob& job, const Result<void>& outcome, bool stopping);
    void report(const Context& context, const jobs::TakenJob& job, const Result<void>& outcome,
                const jobs::Finish& finish);

    task<void> look_for_work(Scope& scope);
    task<void> recover(Context& context);
    task<Duration> start_due(Scope& scope);
    task<void> count(Context& context, bool idle);
    task<void> forget(Context& context);
    task<void> work_on(Context& parent, jobs::TakenJob job);
    task<Result<void>> attempt(Context& parent, const jobs::TakenJob& job);
    task<void> record(Context& parent, const jobs::TakenJob& job, jobs::Finish finish);
};

JobRunner::JobRunner(World& world, Database& database, Logger log, Metrics& metrics, Options options)
    : impl_(std::make_unique<Impl>(world, database, std::move(log), metrics, options)) {}
JobRunner::~JobRunner() = default;

void JobRunner::handle(std::string kind, Handler handler) {
    impl_->handlers.insert_or_assign(std::move(kind), std::move(handler));
}
const JobRunner::Statistics& JobRunner::statistics() const { return impl_->statistics; }

Result<void> JobRunner::health() const {
    if (const auto& why = impl_->statistics.database_error; !why.empty())
        return Error(Kind::unavailable, "the database does not serve the jobs: " + why);
    if (impl_->unhandled.empty()) return {};
    return Error(Kind::unavailable, "jobs wait for which there is no handler: " + impl_->unhandled);
}

task<void> JobRunner::run(Context& context) {
    return scoped(context, [impl = impl_.get()](Scope& scope) { return impl->look_for_work(scope); });
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
        const Duration wait = co_await start_due(scope);
        timer.arm(world.monotonic() + wait);
        if (!co_await wake.wait(context)) break;
    }
    timer.disarm();
}

task<void> JobRunner::Impl::recover(Context& context) {
    while (!context.cancelled()) {
        const auto recovered = co_await database.transact(context, jobs::Recover{options.attempts_max});
        if (recovered) {
            statistics.database_error.clear();
            if (*recovered > 0) log.info(context, "jobs were in flight when the process ended", {{"jobs", *recovered}});
            co_return;
        }
        statistics.database_error = recovered.error().message();
        log.warning(context, "cannot look after the jobs yet", {{"error", recovered.error().message()}});
        if (!co_await sleep_for(context, kRetryMin)) co_return;
    }
}

/// Starts what is due and there is room for. Returns when to look again at the latest.
task<Duration> JobRunner::Impl::start_due(Scope& scope) {
    Context& context = scope.context();
    if (in_flight >= options.concurrency) co_return kLookEvery; // whichever ends first wakes us
    const auto room = static_cast<std::int64_t>(options.concurrency - in_flight);
    auto taken = co_await database.transact(context, jobs::TakeDue{kinds(), room});
    if (!taken) {
        if (context.cancelled()) co_return kLookEvery;
        statistics.database_error = taken.error().message();
        log.warning(context, "cannot take jobs", {{"error", taken.error().message()}});
        co_return kRetryMin;
    }
    statistics.database_error.clear();
    for (auto& job : taken->jobs) {
        ++in_flight;
        scope.spawn(work_on(context, std::move(job)));
    }
    co_await forget(context);
    co_await count(context, in_flight == 0);
    if (!taken->next_due) co_return kLookEvery;
    co_return std::clamp<Duration>(*taken->next_due - world.now(), 0ns, kLookEvery);
}

task<void> JobRunner::Impl::count(Context& context, bool idle) {
    if (!idle && world.monotonic() < next_count) co_return;
    next_count = world.monotonic() + kCountEvery;
    const auto counts = co_await jobs::count(context, database);
    if (!counts) {
        if (!context.cancelled()) log.warning(context, "cannot count the jobs", {{"error", counts.error().message()}});
        co_return;
    }
    statistics.queued = statistics.parked = 0;
    unhandled.clear();
    for (const auto& row : *counts) {
        (row.state == "queued" ? statistics.queued : statistics.parked) += row.jobs;
        if (row.state != "queued" || handlers.contains(row.kind)) continue;
        unhandled += (unhandled.empty() ? "" : ", ") + row.kind;
    }
    metrics.gauge("flotilla_jobs_queued", "Durable jobs waiting for a try").set(statistics.queued);
    metrics.gauge("flotilla_jobs_parked", "Durable jobs given up, waiting for a person").set(statistics.parked);
}

task<void> JobRunner::Impl::forget(Context& context) {
    if (world.monotonic() < next_forget) co_return;
    const auto forgotten = co_await database.transact(context, jobs::Forget{world.now() - kKeepFinished});
    // A full batch means there is more: go on with the next look.
    const bool more = forgotten && *forgotten == jobs::kForgottenAtOnce;
    if (!more) next_forget = world.monotonic() + kForgetEvery;
    if (more) wake.notify();
    if (!forgotten && !context.cancelled())
        log.warning(context, "cannot forget finished jobs", {{"error", forgotten.error().message()}});
}

task<void> JobRunner::Impl::work_on(Context& parent, jobs::TakenJob job) {
    const auto outcome = co_await attempt(parent, job);
    const bool stopping = parent.cancelled();
    auto finish = verdict(job, outcome, stopping);
    report(parent, job, outcome, finish);
    co_await record(parent, job, std::move(finish));
    --in_flight;
    wake.notify();
}

task<Result<void>> JobRunner::Impl::attempt(Context& parent, const jobs::TakenJob& job) {
    Context context(parent, options.job_timeout);
    if (const auto trace = TraceContext::parse(job.traceparent); trace.valid()) context.trace = trace.child(world);
    try {
        co_return co_await handlers.find(job.kind)->second(context, job.payload);
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
    jobs::Finish finish{
        .id = job.id, .state = "queued", .due_at = now, .attempts = job.attempts, .failures = job.failures};
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

task<void> JobRunner::Impl::record(Context& parent, const jobs::TakenJob& job, jobs::Finish finish) {
    while (true) {
        // Not under the parent: what has been done must be noted while the runner stops.
        Context root(world, TraceContext::parse(job.traceparent));
        Context bounded(root, kRecordTimeout);
        const auto recorded = co_await database.transact(bounded, finish);
        if (recorded) {
            statistics.database_error.clear();
            co_return;
        }
        statistics.database_error = recorded.error().message();
        log.error(root, "cannot note a job's outcome", {{"job", job.id}, {"error", recorded.error().message()}});
        // Left as running, the next start takes it up.
        if (!co_await sleep_for(parent, kRetryMin)) co_return;
    }
}

} // namespace flotilla
