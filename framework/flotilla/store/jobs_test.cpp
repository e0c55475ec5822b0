#include <flotilla/store/jobs.hpp>

#include <flotilla/aio/event.hpp>
#include <flotilla/store/job_table.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::jobs_test {
namespace {

using test::TestDatabase;
using test::value;

struct SendMail {
    std::string to;
};
constexpr Job<SendMail> kSendMail{"send_mail"};

struct JobRow {
    std::string state;
    std::int64_t attempts, failures;
    std::optional<std::string> last_error;
};

class JobsTest : public testing::Test {
protected:
    void SetUp() override { store.create_framework_tables(); }

    void enqueue(std::string to, EnqueueOptions options = {}) {
        value(store.transact(
            [to, options](Transaction& tx) { return flotilla::enqueue(tx, kSendMail, SendMail{to}, options); }));
    }
    JobRow job() {
        return *value(store.find<JobRow>("SELECT state, attempts, failures, last_error FROM flotilla_jobs"));
    }

    /// Runs a runner with this handler until `done` is notified, then stops it.
    void run_until(Event& done, JobRunner::Handler handler, JobRunner::Options options = {}) {
        JobRunner::Handlers handlers;
        if (handler) handlers.emplace("send_mail", std::move(handler));
        runner = std::make_unique<JobRunner>(store.world(), store.take_role(), std::move(handlers), telemetry, options);
        auto test = [&](Context& context) -> task<void> {
            Scope scope(context);
            scope.spawn(runner->run(scope.context()));
            Context bounded(context, std::chrono::seconds(20));
            const auto notified = co_await done.wait(bounded);
            EXPECT_TRUE(notified.has_value());
            scope.cancel(Error(Kind::unavailable, "stopping"));
            co_await scope.join();
        };
        store.run(test);
    }

    TestDatabase store;
    std::vector<std::string> lines;
    Event logged;
    Telemetry telemetry{Logger("test", LogLevel::info, Logger::Format::json, [this](std::string_view line) {
        lines.emplace_back(line);
        logged.notify();
    })};
    Metrics& metrics = telemetry.metrics;
    std::unique_ptr<JobRunner> runner;
};

// Goal: a job written by a transaction runs after its commit, with its payload and trace, once.
TEST_F(JobsTest, EnqueueRunsTheJobOnce) {
    Event done;
    std::vector<std::string> seen;
    std::string trace;
    enqueue("ada@example.com");
    const auto traceparent = value(store.find<std::string>("SELECT traceparent FROM flotilla_jobs"));
    run_until(done, [&](Context& context, std::string_view payload, const JobTry&) -> task<Result<void>> {
        seen.push_back(value(json::parse<SendMail>(payload)).to);
        trace = context.trace.trace_id_hex();
        done.notify();
        co_return Result<void>();
    });
    EXPECT_EQ(seen, (std::vector<std::string>{"ada@example.com"}));
    EXPECT_NE(traceparent->find(trace), std::string::npos);
    EXPECT_EQ(job().state, "done");
    EXPECT_EQ(job().attempts, 1);
}

// Goal: a job enqueued while the runner idles is taken at once.
TEST_F(JobsTest, EnqueueWhileIdleWakesTheRunner) {
    Event done;
    Event idle;
    JobRunner late(store.world(), store.take_role(),
                   {{"send_mail",
                     [&](Context&, std::string_view, const JobTry&) -> task<Result<void>> {
                         done.notify();
                         co_return Result<void>();
                     }},
                    {"warm_up",
                     [&](Context&, std::string_view, const JobTry&) -> task<Result<void>> {
                         idle.notify();
                         co_return Result<void>();
                     }}},
                   telemetry);
    auto test = [&](Context& context) -> task<void> {
        Scope scope(context);
        scope.spawn(late.run(scope.context()));
        Context bounded(context, std::chrono::seconds(20));
        for (auto [kind, event] : {std::pair{"warm_up", &idle}, std::pair{"send_mail", &done}}) {
            const auto written = co_await store.database().transact(
                context, [kind](Transaction& tx) { return enqueue_job(tx, kind, "{}", {}); });
            EXPECT_TRUE(written.has_value());
            const auto notified = co_await event->wait(bounded);
            EXPECT_TRUE(notified.has_value()) << kind;
        }
        scope.cancel(Error(Kind::unavailable, "stopping"));
        co_await scope.join();
    };
    store.run(test);
}

// Goal: a transaction that fails enqueues nothing.
TEST_F(JobsTest, FailTransactionEnqueuesNothing) {
    const auto outcome = store.transact([](Transaction& tx) -> Result<int> {
        flotilla::enqueue(tx, kSendMail, SendMail{"x"});
        return Error(Kind::conflict, "no");
    });
    EXPECT_FALSE(outcome);
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM flotilla_jobs")), 0);
}

// Goal: a key is unique per kind, also after the job has run.
TEST_F(JobsTest, EnqueueSameKeyAddsOneJob) {
    enqueue("a", {.key = "welcome-1"});
    enqueue("b", {.key = "welcome-1"});
    Event done;
    int runs = 0;
    run_until(done, [&](Context&, std::string_view, const JobTry&) -> task<Result<void>> {
        ++runs;
        done.notify();
        co_return Result<void>();
    });
    enqueue("c", {.key = "welcome-1"});
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(value(store.select<std::string>("SELECT payload FROM flotilla_jobs")),
              (std::vector<std::string>{R"({"to":"a"})"}));
    value(store.transact([](Transaction& tx) { return enqueue_job(tx, "another_kind", "{}", {.key = "welcome-1"}); }));
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM flotilla_jobs")), 2);
}

// Goal: a failed try is repeated, and its reason is visible until it succeeds.
TEST_F(JobsTest, FailOnceIsTriedAgain) {
    enqueue("a");
    Event done;
    int runs = 0;
    run_until(done, [&](Context&, std::string_view, const JobTry&) -> task<Result<void>> {
        if (++runs == 1) co_return Error(Kind::internal, "mailbox on fire");
        done.notify();
        co_return Result<void>();
    });
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(job().state, "done");
    EXPECT_EQ(job().attempts, 2);
    EXPECT_TRUE(runner->statistics().last_error.empty());
    EXPECT_NE(lines.at(0).find("mailbox on fire"), std::string::npos);
}

// Goal: a database that fails for a while is told as long as it does; a quiet service is well again after it.
TEST_F(JobsTest, DatabaseErrorEndsWithTheNextGoodLook) {
    enqueue("a");
    value(store.execute("CREATE TRIGGER stuck BEFORE UPDATE ON flotilla_jobs BEGIN SELECT raise(ABORT, 'stuck'); END"));
    JobRunner quiet(
        store.world(), store.take_role(),
        {{"send_mail",
          [](Context&, std::string_view, const JobTry&) -> task<Result<void>> { co_return Result<void>(); }}},
        telemetry);
    auto test = [&](Context& context) -> task<void> {
        Scope scope(context);
        scope.spawn(quiet.run(scope.context()));
        Context bounded(context, std::chrono::seconds(20));
        const auto told = co_await logged.wait(bounded);
        EXPECT_TRUE(told.has_value());
        EXPECT_TRUE(lines.at(0).contains("cannot take jobs")) << lines.at(0);
        const auto sick = quiet.health();
        EXPECT_TRUE(!sick && sick.error().message().contains("stuck"));
        EXPECT_EQ(quiet.statistics().last_error, "");
        // The job goes with what kept it, so that none is left whose success could clear anything.
        const auto mended = co_await store.database().transact(bounded, [](Transaction& tx) -> Result<std::int64_t> {
            if (auto dropped = tx.execute("DROP TRIGGER stuck"); !dropped) return dropped;
            return tx.execute("DELETE FROM flotilla_jobs");
        });
        EXPECT_TRUE(mended.has_value());
        while (!quiet.health() && co_await sleep_for(bounded, std::chrono::milliseconds(10))) {
        }
        EXPECT_TRUE(quiet.health().has_value());
        EXPECT_EQ(quiet.statistics().last_error, "");
        scope.cancel(Error(Kind::unavailable, "stopping"));
        co_await scope.join();
    };
    store.run(test);
}

// Goal: a job that keeps failing is parked with its reason; a throwing handler is a failure like any other.
TEST_F(JobsTest, FailTooOftenParksTheJob) {
    enqueue("a");
    Event done;
    int runs = 0;
    run_until(done,
              [&](Context&, std::string_view, const JobTry&) -> task<Result<void>> {
                  if (++runs == 2) done.notify();
                  throw std::runtime_error("no such template");
                  co_return Result<void>();
              },
              {.attempts_max = 2});
    EXPECT_EQ(job().state, "parked");
    EXPECT_EQ(job().failures, 2);
    EXPECT_EQ(job().last_error, "the job's handler threw: no such template");
}

// Goal: while the outside world is down tries do not count towards parking.
TEST_F(JobsTest, FailAsUnavailableIsNeverParked) {
    enqueue("a");
    Event done;
    int runs = 0;
    run_until(done,
              [&](Context&, std::string_view, const JobTry&) -> task<Result<void>> {
                  if (++runs == 2) {
                      done.notify();
                      co_return Result<void>();
                  }
                  co_return Error(Kind::unavailable, "no mail server");
              },
              {.attempts_max = 1});
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(job().state, "done");
}

// Goal: what was in flight when the process ended runs again; that try counts.
TEST_F(JobsTest, RestartWithJobInFlightRunsItAgain) {
    enqueue("a");
    const auto taken = value(store.transact(jobs::TakeDue{{"send_mail"}, 8, 0}));
    ASSERT_EQ(taken.jobs.size(), 1U);
    EXPECT_EQ(job().state, "running");
    EXPECT_EQ(job().attempts, 1);
    Event done;
    run_until(done, [&](Context&, std::string_view, const JobTry&) -> task<Result<void>> {
        done.notify();
        co_return Result<void>();
    });
    EXPECT_EQ(job().state, "done");
    EXPECT_EQ(job().attempts, 2);
}

// Goal: a job that ends the process each time is parked and does not keep it from starting for ever.
TEST_F(JobsTest, RestartAfterTooManyCrashesParksTheJob) {
    enqueue("a");
    for (int crash = 0; crash < 3; ++crash) {
        value(store.transact(jobs::TakeDue{{"send_mail"}, 8, crash}));
        value(store.transact(jobs::Recover{3, crash + 1}));
    }
    EXPECT_EQ(job().state, "parked");
    EXPECT_EQ(job().last_error, "the process ended during each try");
}

// Goal: a runner that stops gives its jobs back as if they had not been tried.
TEST_F(JobsTest, StopWhileInFlightGivesTheJobBack) {
    enqueue("a");
    Event started;
    run_until(started, [&](Context& context, std::string_view, const JobTry&) -> task<Result<void>> {
        started.notify();
        Event never;
        co_return co_await never.wait(context);
    });
    EXPECT_EQ(job().state, "queued");
    EXPECT_EQ(job().attempts, 0);
    EXPECT_EQ(job().failures, 0);
}

// Goal: no more jobs run at once than configured, and all of them run.
TEST_F(JobsTest, RunManyJobsKeepsConcurrency) {
    for (int i = 0; i < 30; ++i)
        enqueue(std::to_string(i));
    Event done;
    int running = 0;
    int most = 0;
    int finished = 0;
    run_until(done,
              [&](Context& context, std::string_view, const JobTry&) -> task<Result<void>> {
                  most = std::max(most, ++running);
                  // A trip through the writer: other jobs get their chance meanwhile.
                  const auto trip =
                      co_await store.database().transact(context, [](Transaction&) -> Result<int> { return 1; });
                  --running;
                  if (++finished == 30) done.notify();
                  co_return trip ? Result<void>() : Result<void>(trip.error());
              },
              {.concurrency = 4});
    EXPECT_EQ(most, 4);
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM flotilla_jobs WHERE state = 'done'")), 30);
}

// Goal: a delayed job waits its time.
TEST_F(JobsTest, EnqueueWithDelayRunsNotBefore) {
    enqueue("later", {.delay = std::chrono::milliseconds(50)});
    const auto due = *value(store.find<Timestamp>("SELECT due_at FROM flotilla_jobs"));
    Event done;
    Timestamp ran_at;
    run_until(done, [&](Context& context, std::string_view, const JobTry&) -> task<Result<void>> {
        ran_at = context.world().now();
        done.notify();
        co_return Result<void>();
    });
    EXPECT_GE(ran_at, due);
}

// Goal: jobs that nobody handles stay and are reported.
TEST_F(JobsTest, LeaveKindWithoutHandlerIsReported) {
    enqueue("a");
    value(store.transact([](Transaction& tx) { return enqueue_job(tx, "forgotten_kind", "{}", {}); }));
    Event done;
    int looks = 0;
    run_until(done, [&](Context& context, std::string_view, const JobTry&) -> task<Result<void>> {
        if (++looks == 1) {
            // The next look counts, since nothing is left to do.
            const auto more = co_await store.database().transact(context, [](Transaction& tx) {
                return enqueue_job(tx, "send_mail", "{}", {.delay = std::chrono::milliseconds(20)});
            });
            EXPECT_TRUE(more.has_value());
        } else {
            done.notify();
        }
        co_return Result<void>();
    });
    EXPECT_EQ(runner->statistics().queued, 2);
    EXPECT_EQ(runner->health().error().message(), "jobs wait for which there is no handler: forgotten_kind");
}

// Goal: finished jobs are forgotten after a day, parked ones never.
TEST_F(JobsTest, ForgetRemovesOnlyOldFinishedJobs) {
    value(store.execute("INSERT INTO flotilla_jobs (id, kind, key, payload, traceparent, state, attempts, failures, "
                        "due_at, enqueued_at, finished_at) "
                        "VALUES ('old', 'k', '1', '', '', 'done', 1, 1, 0, 0, 1000), ('young', 'k', '2', '', '', "
                        "'done', 1, 1, 0, 0, 3000), "
                        "('parked', 'k', '3', '', '', 'parked', 1, 1, 0, 0, 1000)"));
    EXPECT_EQ(value(store.transact(jobs::Forget{Timestamp(2000), 10})), 1);
    EXPECT_EQ(value(store.select<std::string>("SELECT id FROM flotilla_jobs ORDER BY id")),
              (std::vector<std::string>{"parked", "young"}));
}

// Goal: a few of many old jobs leave at a time, the oldest first.
TEST_F(JobsTest, ForgetTakesTheOldestFirst) {
    value(store.execute(
        "INSERT INTO flotilla_jobs (id, kind, key, payload, traceparent, state, attempts, failures, "
        "due_at, enqueued_at, finished_at) VALUES ('b', 'k', '2', '', '', 'done', 1, 1, 0, 0, 20), "
        "('a', 'k', '3', '', '', 'done', 1, 1, 0, 0, 30), ('c', 'k', '1', '', '', 'done', 1, 1, 0, 0, 10)"));
    EXPECT_EQ(value(store.transact(jobs::Forget{Timestamp(2000), 2})), 2);
    EXPECT_EQ(value(store.select<std::string>("SELECT id FROM flotilla_jobs")), (std::vector<std::string>{"a"}));
}

/// "queued/parked" of a kind, as counted.
std::string counts_of(TestDatabase& store, std::string_view kind) {
    struct Counts {
        std::int64_t queued, parked;
    };
    const auto found =
        value(store.find<Counts>("SELECT queued, parked FROM flotilla_job_counts WHERE kind = $1", kind));
    return found ? std::to_string(found->queued) + "/" + std::to_string(found->parked) : "none";
}

// Goal: the counts follow each change of a job's state in its own commit, and a start mends what was changed by hand.
TEST_F(JobsTest, CountsFollowTheJobs) {
    for (const char* to : {"a", "b", "c"})
        enqueue(to, {.key = to});
    enqueue("again", {.key = "a"});
    EXPECT_EQ(counts_of(store, "send_mail"), "3/0");
    EXPECT_FALSE(store.transact([](Transaction& tx) -> Result<int> {
        enqueue_job(tx, "send_mail", "{}", {});
        return Error(Kind::conflict, "no");
    }));
    EXPECT_EQ(counts_of(store, "send_mail"), "3/0");
    const auto taken = value(store.transact(jobs::TakeDue{{"send_mail"}, 3, 7})).jobs;
    ASSERT_EQ(taken.size(), 3U);
    EXPECT_EQ(counts_of(store, "send_mail"), "0/0");
    std::vector<jobs::Finish> outcomes;
    for (const char* state : {"done", "queued", "parked"}) {
        const auto& job = taken[outcomes.size()];
        outcomes.push_back(
            {.id = job.id, .kind = job.kind, .state = state, .due_at = job.due_at, .attempts = 1, .failures = 1});
        if (outcomes.back().state != "queued") outcomes.back().finished_at = Timestamp(1);
    }
    value(store.transact([outcomes](Transaction& tx) { return jobs::finish(tx, outcomes, 7); }));
    EXPECT_EQ(counts_of(store, "send_mail"), "1/1");
    value(store.execute("DELETE FROM flotilla_jobs WHERE state = 'parked'"));
    value(store.transact(jobs::Recover{3, 8}));
    EXPECT_EQ(counts_of(store, "send_mail"), "1/0");
}

// Goal: of several kinds those jobs come first that are due first, no more than asked for, and the next one is told.
TEST_F(JobsTest, TakeDueGoesByTimeAcrossKinds) {
    value(store.execute(
        "INSERT INTO flotilla_jobs (id, kind, key, payload, traceparent, state, attempts, failures, "
        "due_at, enqueued_at) VALUES ('x3', 'x', '3', '', '', 'queued', 0, 0, 30, 0), "
        "('y1', 'y', '1', '', '', 'queued', 0, 0, 10, 0), ('x2', 'x', '2', '', '', 'queued', 0, 0, 20, 0), "
        "('y9', 'y', '9', '', '', 'queued', 0, 0, 9000000000000000, 0), "
        "('z0', 'z', '0', '', '', 'queued', 0, 0, 0, 0)"));
    const auto ids = [](const jobs::Taken& taken) {
        std::vector<std::string> found;
        for (const auto& job : taken.jobs)
            found.push_back(job.id);
        return found;
    };
    const auto first = value(store.transact(jobs::TakeDue{{"x", "y"}, 2, 1}));
    EXPECT_EQ(ids(first), (std::vector<std::string>{"y1", "x2"}));
    EXPECT_EQ(first.next_due, Timestamp(30));
    const auto second = value(store.transact(jobs::TakeDue{{"x", "y"}, 2, 1}));
    EXPECT_EQ(ids(second), (std::vector<std::string>{"x3"}));
    EXPECT_EQ(second.next_due, Timestamp(9000000000000000));
}

/// The value of a metric without labels.
double shown(const Metrics& metrics, const std::string& name) {
    const auto text = metrics.prometheus_text();
    const auto at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

// Goal: jobs that are due and get no try are told with their age; those that wait out a failure are another matter.
TEST_F(JobsTest, LagIsOfDueJobsOnly) {
    value(store.execute("INSERT INTO flotilla_jobs (id, kind, key, payload, traceparent, state, attempts, failures, "
                        "due_at, enqueued_at, finished_at) VALUES "
                        "('late', 'nobody', '1', '', '', 'queued', 0, 0, 1000000, 1000000, NULL), "
                        "('tried', 'send_mail', '2', '', '', 'queued', 3, 0, 9000000000000000, 2000000, NULL), "
                        "('parked', 'send_mail', '3', '', '', 'parked', 3, 3, 0, 0, 3000000)"));
    enqueue("a");
    Event done;
    run_until(done, [&](Context& context, std::string_view, const JobTry&) -> task<Result<void>> {
        // Until it was counted.
        while (shown(metrics, "flotilla_jobs_lag_seconds") <= 0)
            if (const auto slept = co_await sleep_for(context, std::chrono::milliseconds(1)); !slept) co_return slept;
        done.notify();
        co_return Result<void>();
    });
    const auto now = static_cast<double>(store.world().now().microseconds()) / 1e6;
    EXPECT_NEAR(shown(metrics, "flotilla_jobs_lag_seconds"), now - 1, 60);
    EXPECT_NEAR(shown(metrics, "flotilla_jobs_oldest_retried_seconds"), now - 2, 60);
    EXPECT_NEAR(shown(metrics, "flotilla_jobs_oldest_parked_seconds"), now - 3, 60);
    EXPECT_LT(shown(metrics, "flotilla_jobs_lag_seconds"), now - 0.5);
}

// Goal: a runner that does not get to its jobs says so, though no try fails.
TEST_F(JobsTest, HealthTellsOfJobsThatAreDueForLong) {
    Event stop;
    enqueue("first");
    enqueue("second");
    bool told = false;
    run_until(stop,
              [&](Context& context, std::string_view, const JobTry&) -> task<Result<void>> {
                  while (!told && co_await sleep_for(context, std::chrono::milliseconds(5)))
                      told = !runner->health();
                  if (told)
                      EXPECT_TRUE(runner->health().error().message().starts_with("1 jobs wait, one has been due for "))
                          << runner->health().error().message();
                  stop.notify();
                  co_return Result<void>();
              },
              {.concurrency = 1, .lag_max = std::chrono::milliseconds(1)});
    EXPECT_TRUE(told);
}

// Goal: what ends together is noted together: one trip to the disk, not one each.
TEST_F(JobsTest, OutcomesShareACommit) {
    constexpr int kJobs = 40;
    for (int i = 0; i < kJobs; ++i)
        enqueue(std::to_string(i));
    Event done;
    int started = 0;
    int ended = 0;
    std::uint64_t bodies_before = 0;
    run_until(done,
              [&](Context& context, std::string_view, const JobTry&) -> task<Result<void>> {
                  if (++started == kJobs) bodies_before = store.statistics().bodies;
                  while (started < kJobs)
                      if (const auto slept = co_await sleep_for(context, std::chrono::milliseconds(1)); !slept)
                          co_return slept;
                  if (++ended == kJobs) done.notify();
                  co_return Result<void>();
              },
              {.concurrency = kJobs});
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM flotilla_jobs WHERE state = 'done'")), kJobs);
    EXPECT_LT(store.statistics().bodies - bodies_before, kJobs / 2);
}

// Goal: only what an earlier epoch left running is taken up again; what this one runs stays.
TEST_F(JobsTest, RecoverLeavesWhatItsOwnEpochRuns) {
    enqueue("old");
    value(store.transact(jobs::TakeDue{{"send_mail"}, 8, 3}));
    EXPECT_EQ(value(store.transact(jobs::Recover{10, 3})), 0);
    EXPECT_EQ(job().state, "running");
    EXPECT_EQ(value(store.transact(jobs::Recover{10, 4})), 1);
    EXPECT_EQ(job().state, "queued");
}

// Goal: an outcome is noted once, by whoever took the job: a late one of an earlier holder changes nothing.
TEST_F(JobsTest, LateOutcomeOfAnEarlierEpochIsNotNoted) {
    enqueue("a");
    const auto late = value(store.transact(jobs::TakeDue{{"send_mail"}, 8, 3})).jobs.at(0);
    value(store.transact(jobs::Recover{10, 4}));
    const auto again = value(store.transact(jobs::TakeDue{{"send_mail"}, 8, 4})).jobs.at(0);
    const auto note = [&](const jobs::TakenJob& job, std::int64_t epoch, std::string state) {
        const std::vector<jobs::Finish> outcomes{
            {.id = job.id, .kind = job.kind, .state = state, .due_at = job.due_at, .attempts = 1, .failures = 1}};
        value(store.transact([=](Transaction& tx) { return jobs::finish(tx, outcomes, epoch); }));
    };
    note(late, 3, "parked");
    EXPECT_EQ(job().state, "running");
    note(again, 4, "done");
    note(again, 4, "queued");
    EXPECT_EQ(job().state, "done");
    EXPECT_EQ(counts_of(store, "send_mail"), "0/0");
}

constexpr Statement<std::string> kEffect{"INSERT INTO effects (job) VALUES ($1)"};

/// Commits an effect, and with it that the job is done.
task<Result<void>> commit_effect(Context& context, Database& database, JobTry attempted, Result<void> outcome) {
    co_return co_await database.transact(context, [=](Transaction& tx) -> Result<void> {
        tx.execute(kEffect, attempted.id());
        attempted.done(tx);
        return outcome;
    });
}

// Goal: a job that notes its outcome with its effect has both or neither, and is not tried again whatever it answers.
TEST_F(JobsTest, DoneInItsOwnTransactionCommitsWithTheEffect) {
    value(store.execute("CREATE TABLE effects (job TEXT NOT NULL)"));
    enqueue("a");
    Event done;
    int runs = 0;
    run_until(done, [&](Context& context, std::string_view, const JobTry& attempted) -> task<Result<void>> {
        if (++runs == 1) // rolled back: neither
            co_return co_await commit_effect(context, store.database(), attempted, Error(Kind::internal, "not yet"));
        co_await must(commit_effect(context, store.database(), attempted, {}));
        // A second effect is refused with its transaction.
        const auto twice = co_await commit_effect(context, store.database(), attempted, {});
        EXPECT_EQ(twice ? "" : twice.error().code(), "job_done");
        done.notify();
        co_return Error(Kind::internal, "said too late");
    });
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM effects")), 1);
    EXPECT_EQ(job().state, "done");
    EXPECT_EQ(job().last_error, std::nullopt);
}

// Goal: the effect of a try that another host has followed is refused in its own transaction.
TEST_F(JobsTest, DoneAfterTheRoleWasLostTakesTheEffectBack) {
    value(store.execute("CREATE TABLE effects (job TEXT NOT NULL)"));
    enqueue("a");
    Event done;
    run_until(done, [&](Context& context, std::string_view, const JobTry& attempted) -> task<Result<void>> {
        const auto row = co_await must(roles::load(context, store.database(), "database"));
        co_await must(store.database().transact(context, roles::Take{"database", "another", "", row}));
        const auto late = co_await commit_effect(context, store.database(), attempted, {});
        EXPECT_EQ(late ? "" : late.error().code(), "role_lost");
        done.notify();
        co_return late;
    });
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM effects")), 0);
    EXPECT_EQ(job().state, "running"); // the next holder's to take up
}

// Goal: what was parked is listed with its reason, and put back it has all its tries before it; nothing else is.
TEST_F(JobsTest, ParkedJobIsRedriven) {
    enqueue("ada@example.com", {.key = "k-1"});
    enqueue("grace@example.com", {.key = "k-2"});
    const auto taken = value(store.transact(jobs::TakeDue{{"send_mail"}, 1, 0})).jobs.at(0);
    const auto now = store.world().now();
    value(store.transact([&](Transaction& tx) {
        jobs::finish(tx, {{taken.id, "send_mail", "parked", now, taken.attempts, 1, now, "no such mailbox"}}, 0);
    }));
    const auto parked = [&] {
        Context context(store.world());
        return value(store.loop().run_until_done(parked_jobs(context, store.database(), kSendMail, 10)));
    };
    ASSERT_EQ(parked().size(), 1U);
    EXPECT_EQ(parked()[0].key, "k-1");
    EXPECT_EQ(parked()[0].reason, "no such mailbox");
    EXPECT_EQ(parked()[0].attempts, 1);

    const auto redrive = [&](const char* key) {
        return value(store.transact([=](Transaction& tx) { return redrive_job(tx, kSendMail, key); }));
    };
    EXPECT_FALSE(redrive("k-2")) << "it waits anyway";
    EXPECT_FALSE(redrive("k-3"));
    EXPECT_TRUE(redrive("k-1"));
    EXPECT_FALSE(redrive("k-1"));
    EXPECT_TRUE(parked().empty());
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT 10 * queued + parked FROM flotilla_job_counts")), 20);
    const auto again = value(store.transact(jobs::TakeDue{{"send_mail"}, 10, 0})).jobs;
    ASSERT_EQ(again.size(), 2U);
    EXPECT_EQ(again[1].failures, 1) << "the first try counts as the first again";
}

} // namespace
} // namespace flotilla::jobs_test
