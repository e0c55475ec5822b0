#include <sys/resource.h>

#include <array>
#include <chrono>
#include <csignal>
#include <thread>

#include <flotilla/aio/time_spent.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::transaction_test {
namespace {

using namespace std::chrono_literals;
using test::Gate;
using test::TestDatabase;
using test::value;

constexpr const char* kOnce = "sqlite::memory:";

Result<std::int64_t> insert(Transaction& tx, std::string_view id) {
    return tx.execute("INSERT INTO things (id) VALUES ($1)", id);
}

/// The task's outcome goes into `into`; several of these run beside each other in a Scope.
template <class R>
task<void> keep(task<R> work, std::optional<R>& into) {
    into.emplace(co_await std::move(work));
}

class TransactionTest : public testing::Test {
protected:
    void SetUp() override { value(store.execute("CREATE TABLE things (id TEXT PRIMARY KEY)")); }
    std::vector<std::string> ids() { return value(store.select<std::string>("SELECT id FROM things ORDER BY id")); }

    TestDatabase store{kOnce};
};

// Goal: a body that fails takes only its own changes back, not those of its neighbours in the same commit.
TEST_F(TransactionTest, FailOneBodyOfACommitKeepsItsNeighbours) {
    Gate gate;
    auto test = [&](Context& context) -> task<void> {
        auto& database = store.database();
        std::optional<Result<int>> gated;
        std::optional<Result<std::int64_t>> before;
        std::optional<Result<std::int64_t>> failing;
        std::optional<Result<std::int64_t>> throwing;
        std::optional<Result<std::int64_t>> violating;
        std::optional<Result<std::int64_t>> after;
        Scope scope(context);
        scope.spawn(keep(database.transact(scope.context(), gate.body()), gated));
        gate.await_entered();
        const auto commits = store.statistics().commits;
        scope.spawn(
            keep(database.transact(scope.context(), [](Transaction& tx) { return insert(tx, "before"); }), before));
        scope.spawn(keep(database.transact(scope.context(),
                                           [](Transaction& tx) -> Result<std::int64_t> {
                                               if (auto done = insert(tx, "failing"); !done) return done;
                                               return Error(Kind::conflict, "not_today", "not today");
                                           }),
                         failing));
        scope.spawn(keep(database.transact(scope.context(),
                                           [](Transaction& tx) -> Result<std::int64_t> {
                                               if (auto done = insert(tx, "throwing"); !done) return done;
                                               throw std::logic_error("a bug");
                                           }),
                         throwing));
        scope.spawn(keep(database.transact(scope.context(),
                                           [](Transaction& tx) -> Result<std::int64_t> {
                                               if (auto done = insert(tx, "violating"); !done) return done;
                                               return insert(tx, "before");
                                           }),
                         violating));
        scope.spawn(
            keep(database.transact(scope.context(), [](Transaction& tx) { return insert(tx, "after"); }), after));
        EXPECT_EQ(database.queued(), 5U);
        gate.open();
        co_await scope.join();
        EXPECT_EQ(store.statistics().commits, commits + 2);

        EXPECT_EQ(**before, 1);
        EXPECT_EQ((*failing).error().code(), "not_today");
        EXPECT_EQ((*throwing).error(), Error(Kind::internal, "a transaction body threw: a bug"));
        EXPECT_EQ((*violating).error().code(), "unique_violation");
        EXPECT_EQ(**after, 1);
    };
    store.run(test);
    EXPECT_EQ(ids(), (std::vector<std::string>{"after", "before"}));
}

// Goal: what waits while the writer is busy goes into one commit.
TEST_F(TransactionTest, SendManyWhileWriterIsBusySharesOneCommit) {
    Gate gate;
    auto test = [&](Context& context) -> task<void> {
        std::optional<Result<int>> gated;
        std::vector<std::optional<Result<std::int64_t>>> outcomes(200);
        Scope scope(context);
        scope.spawn(keep(store.database().transact(scope.context(), gate.body()), gated));
        gate.await_entered();
        const auto before = store.statistics();
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            const auto body = [id = std::to_string(i)](Transaction& tx) { return insert(tx, id); };
            scope.spawn(keep(store.database().transact(scope.context(), body), outcomes[i]));
        }
        gate.open();
        co_await scope.join();
        EXPECT_EQ(store.statistics().commits, before.commits + 2);
        EXPECT_EQ(store.statistics().bodies, before.bodies + 201);
        for (const auto& outcome : outcomes)
            EXPECT_TRUE(outcome->has_value());
    };
    store.run(test);
    EXPECT_EQ(ids().size(), 200U);
}

// Goal: commits show in the metrics: how many wait, how many share one.
TEST_F(TransactionTest, ReportToCountsQueueAndGroups) {
    Metrics metrics;
    store.database().report_to(metrics);
    Gate gate;
    auto test = [&](Context& context) -> task<void> {
        std::optional<Result<int>> gated;
        std::array<std::optional<Result<std::int64_t>>, 3> outcomes;
        Scope scope(context);
        scope.spawn(keep(store.database().transact(scope.context(), gate.body()), gated));
        gate.await_entered();
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            const auto body = [id = std::to_string(i)](Transaction& tx) { return insert(tx, id); };
            scope.spawn(keep(store.database().transact(scope.context(), body), outcomes[i]));
        }
        EXPECT_TRUE(metrics.prometheus_text().contains("flotilla_database_queued 3\n"));
        gate.open();
        co_await scope.join();
    };
    store.run(test);
    const auto text = metrics.prometheus_text();
    EXPECT_TRUE(text.contains("flotilla_database_queued 0\n")) << text;
    EXPECT_TRUE(text.contains("flotilla_database_bodies_per_commit_bucket{le=\"2\"} 0\n")) << text;
    EXPECT_TRUE(text.contains("flotilla_database_bodies_per_commit_bucket{le=\"4\"} 1\n")) << text;
    EXPECT_TRUE(text.contains("flotilla_database_commit_duration_seconds_count 1\n")) << text;
    EXPECT_TRUE(text.contains("flotilla_database_failed_commits_total 0\n")) << text;
}

// Goal: a request learns how long its transaction waited for another one, and the parts make up the whole.
TEST_F(TransactionTest, TimeSpentTellsQueueFromWork) {
    using Part = TimeSpent::Part;
    Gate gate;
    auto test = [&](Context& context) -> task<void> {
        std::optional<Result<int>> gated;
        Scope scope(context);
        scope.spawn(keep(store.database().transact(scope.context(), gate.body()), gated));
        gate.await_entered();
        Context request(context);
        TimeSpent spent(context.world());
        const TimeSpent::Attachment accounted(request, &spent);
        std::optional<Result<std::int64_t>> outcome;
        Scope waiting(request);
        const auto body = [](Transaction& tx) { return insert(tx, "a"); };
        waiting.spawn(keep(store.database().transact(waiting.context(), body), outcome));
        EXPECT_TRUE(co_await sleep_for(context, 20ms));
        gate.open();
        co_await waiting.join();
        co_await scope.join();
        EXPECT_TRUE(outcome->has_value());
        EXPECT_GE(spent.part(Part::database_queue), 19ms); // the clocks are two
        EXPECT_LT(spent.part(Part::database_queue), spent.on(TimeSpent::On::database));
        EXPECT_GT(spent.part(Part::database_commit), 0ms);
        EXPECT_EQ(spent.part(Part::database_queue) + spent.part(Part::database_body) +
                      spent.part(Part::database_commit) + spent.part(Part::database_return),
                  spent.on(TimeSpent::On::database));
    };
    store.run(test);
}

// Goal: a deadline cancels a body that is still queued; it never runs.
TEST_F(TransactionTest, PassDeadlineWhileQueuedNeverRunsTheBody) {
    Gate gate;
    std::atomic<int> runs = 0;
    auto test = [&](Context& context) -> task<void> {
        std::optional<Result<int>> gated;
        Scope scope(context);
        scope.spawn(keep(store.database().transact(scope.context(), gate.body()), gated));
        gate.await_entered();
        {
            Context hurried(context, std::chrono::milliseconds(5));
            const auto outcome = co_await store.database().transact(hurried, [&runs](Transaction& tx) {
                ++runs;
                return insert(tx, "late");
            });
            EXPECT_EQ(outcome.error().kind(), Kind::deadline_exceeded);
        }
        EXPECT_EQ(store.database().queued(), 0U);
        gate.open();
        co_await scope.join();
        EXPECT_TRUE(gated->has_value());
    };
    store.run(test);
    EXPECT_EQ(runs, 0);
    EXPECT_TRUE(ids().empty());
}

// Goal: once a body runs its caller waits for the outcome, cancelled or not.
TEST_F(TransactionTest, CancelWhileRunningStillGivesTheOutcome) {
    Gate gate;
    auto test = [&](Context& context) -> task<void> {
        std::optional<Result<std::int64_t>> outcome;
        Context cancelled(context);
        Scope scope(context);
        auto wait = gate.body();
        const auto body = [&wait](Transaction& tx) -> Result<std::int64_t> {
            if (auto waited = wait(tx); !waited) return waited.error();
            return insert(tx, "kept");
        };
        scope.spawn(keep(store.database().transact(cancelled, body), outcome));
        gate.await_entered();
        cancelled.cancel(Error(Kind::cancelled, "changed my mind"));
        gate.open();
        co_await scope.join();
        EXPECT_EQ(**outcome, 1);
    };
    store.run(test);
    EXPECT_EQ(ids(), (std::vector<std::string>{"kept"}));
}

// Goal: a caller that is destroyed while its body waits leaves nothing behind.
TEST_F(TransactionTest, DestroyWaitingCallerDropsItsBody) {
    Gate gate;
    std::atomic<int> runs = 0;
    Context context(store.world());
    auto waiting = [&](Context& own) -> task<void> {
        std::optional<Result<int>> gated;
        Scope scope(own);
        scope.spawn(keep(store.database().transact(scope.context(), gate.body()), gated));
        gate.await_entered();
        {
            auto abandoned =
                store.database().transact(scope.context(), [&runs](Transaction&) -> Result<int> { return ++runs; });
            abandoned.handle().resume();
            EXPECT_EQ(store.database().queued(), 1U);
        }
        EXPECT_EQ(store.database().queued(), 0U);
        gate.open();
        co_await scope.join();
    };
    store.loop().run_until_done(waiting(context));
    EXPECT_EQ(runs, 0);
}

// Goal: a caller that is destroyed while its body runs is not resumed; the work is committed.
TEST_F(TransactionTest, DestroyCallerOfRunningBodyIsSafe) {
    Gate gate;
    auto wait = gate.body();
    auto test = [&](Context& context) -> task<void> {
        {
            auto abandoned = store.database().transact(context, [&wait](Transaction& tx) -> Result<std::int64_t> {
                if (auto waited = wait(tx); !waited) return waited.error();
                return insert(tx, "kept");
            });
            abandoned.handle().resume();
            gate.await_entered();
        }
        gate.open();
        const auto next =
            co_await store.database().transact(context, [](Transaction& tx) { return insert(tx, "next"); });
        EXPECT_TRUE(next.has_value());
    };
    store.run(test);
    EXPECT_EQ(ids(), (std::vector<std::string>{"kept", "next"}));
}

// Goal: the queue is bounded; what does not fit is refused at once.
TEST_F(TransactionTest, FillQueueRefusesTheNext) {
    Gate gate;
    auto test = [&](Context& context) -> task<void> {
        std::optional<Result<int>> gated;
        std::vector<std::optional<Result<int>>> outcomes(sqlite::Writer::kQueueMax);
        Scope scope(context);
        scope.spawn(keep(store.database().transact(scope.context(), gate.body()), gated));
        gate.await_entered();
        for (auto& outcome : outcomes) {
            scope.spawn(keep(store.database().transact(scope.context(), [](Transaction&) -> Result<int> { return 1; }),
                             outcome));
        }
        const auto refused = co_await store.database().transact(context, [](Transaction&) -> Result<int> { return 1; });
        EXPECT_EQ(refused.error().kind(), Kind::unavailable);
        EXPECT_GT(refused.error().retry_after(), Duration::zero());
        gate.open();
        co_await scope.join();
        for (const auto& outcome : outcomes)
            EXPECT_TRUE(outcome->has_value());
    };
    store.run(test);
}

// Goal: a body that consumes its captures is found by running it twice.
TEST(TransactionTwice, RunConsumingBodyShowsItsMistake) {
    TestDatabase twice("sqlite::memory:?bodies=twice");
    value(twice.execute("CREATE TABLE things (id TEXT PRIMARY KEY)"));
    auto runs = std::make_shared<int>(0);
    value(twice.transact([runs](Transaction& tx) { return insert(tx, "run " + std::to_string(++*runs)); }));
    EXPECT_EQ(*runs, 2);
    EXPECT_EQ(value(twice.select<std::string>("SELECT id FROM things")), (std::vector<std::string>{"run 2"}));
}

// Goal: a deferred foreign key fails its own body, not the commit of everybody.
TEST_F(TransactionTest, ViolateDeferredForeignKeyFailsOnlyThatBody) {
    value(store.execute(
        "CREATE TABLE parts (id TEXT PRIMARY KEY, thing TEXT REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)"));
    const auto bad = store.execute("INSERT INTO parts VALUES ('p', 'nobody')");
    EXPECT_EQ(bad.error().code(), "foreign_key_violation");
    value(store.transact([](Transaction& tx) -> Result<std::int64_t> {
        if (auto part = tx.execute("INSERT INTO parts VALUES ('p', 't')"); !part) return part;
        return insert(tx, "t");
    }));
    EXPECT_EQ(ids(), (std::vector<std::string>{"t"}));
}

// Goal: a body cannot end the transaction it shares.
TEST_F(TransactionTest, CommitInsideBodyIsRefused) {
    const auto outcome = store.transact([](Transaction& tx) -> Result<std::int64_t> {
        if (auto done = insert(tx, "x"); !done) return done;
        return tx.execute("COMMIT");
    });
    EXPECT_EQ(outcome.error().kind(), Kind::internal);
    EXPECT_TRUE(ids().empty());
}

// Goal: ids are fresh UUIDs, the clock is the caller's, the trace is the caller's.
TEST_F(TransactionTest, AskTransactionForIdsAndTimeGivesTheCallers) {
    Context context(store.world());
    struct Seen {
        std::string first, second;
        Timestamp now;
        std::string traceparent;
    };
    const auto before = store.world().now();
    const auto seen =
        value(store.loop().run_until_done(store.database().transact(context, [](Transaction& tx) -> Result<Seen> {
            return Seen{tx.new_id(), tx.new_id(), tx.now(), tx.trace().traceparent()};
        })));
    EXPECT_EQ(seen.first.size(), 36U);
    EXPECT_NE(seen.first, seen.second);
    EXPECT_GE(seen.now, before);
    EXPECT_LE(seen.now, store.world().now());
    EXPECT_EQ(seen.traceparent, context.trace.traceparent());
}

// Goal: signals of committed bodies come once per commit, on every object's loop; those of failed bodies never.
TEST_F(TransactionTest, SignalFromBodiesCallsEachListenerOncePerCommit) {
    const auto other = store.open_another(kOnce);
    int jobs = 0;
    int jobs_elsewhere = 0;
    int mails = 0;
    auto first = store.database().on_signal("jobs", [&] { ++jobs; });
    const auto elsewhere = other->on_signal("jobs", [&] { ++jobs_elsewhere; });
    const auto mail = store.database().on_signal("mails", [&] { ++mails; });
    Gate gate;
    auto test = [&](Context& context) -> task<void> {
        std::optional<Result<int>> gated;
        std::vector<std::optional<Result<int>>> outcomes(3);
        Scope scope(context);
        scope.spawn(keep(store.database().transact(scope.context(), gate.body()), gated));
        gate.await_entered();
        for (auto& outcome : outcomes) {
            const auto body = [](Transaction& tx) -> Result<int> {
                tx.signal("jobs");
                tx.signal("jobs");
                return 1;
            };
            scope.spawn(keep(store.database().transact(scope.context(), body), outcome));
        }
        gate.open();
        co_await scope.join();
        const auto failed = co_await store.database().transact(context, [](Transaction& tx) -> Result<int> {
            tx.signal("mails");
            return Error(Kind::conflict, "no");
        });
        EXPECT_FALSE(failed.has_value());
    };
    store.run(test);
    EXPECT_EQ(jobs, 1);
    EXPECT_EQ(jobs_elsewhere, 1);
    EXPECT_EQ(mails, 0);

    first.reset();
    value(store.transact([](Transaction& tx) -> Result<int> {
        tx.signal("jobs");
        return 1;
    }));
    value(store.transact([](Transaction&) -> Result<int> { return 1; }));
    EXPECT_EQ(jobs, 1);
    EXPECT_EQ(jobs_elsewhere, 2);
}

// Goal: two loops of one process write through one writer and lose nothing.
TEST(TransactionLoops, WriteFromTwoLoopsKeepsEveryRow) {
    TestDatabase store{kOnce};
    value(store.execute("CREATE TABLE things (id TEXT PRIMARY KEY)"));
    const auto write_many = [](TestDatabase& own, const std::string& prefix) {
        auto test = [&](Context& context) -> task<void> {
            for (int i = 0; i < 500; ++i) {
                const auto done = co_await own.database().transact(
                    context, [id = prefix + std::to_string(i)](Transaction& tx) { return insert(tx, id); });
                EXPECT_TRUE(done.has_value());
                const auto found = co_await own.database().find<std::string>(
                    context, "SELECT id FROM things WHERE id = $1", prefix + std::to_string(i));
                EXPECT_TRUE(found.has_value() && found->has_value());
            }
        };
        own.run(test);
    };
    std::thread other([&] {
        TestDatabase second{kOnce};
        write_many(second, "b");
    });
    write_many(store, "a");
    other.join();
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM things")), 1000);
}

/// While alive, no file of this process may grow beyond `bytes`: the nearest thing to a full disk.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

private:
    rlimit before_{};
};

// Goal: when the disk is full every caller of the commit hears it, nothing of it stays, and service resumes by itself.
TEST(TransactionDisk, FillDiskGivesUnavailableAndRecovers) {
    const test::TemporaryFolder folder;
    TestDatabase store(folder.url("full.db"));
    value(store.execute("CREATE TABLE things (id TEXT PRIMARY KEY)"));
    EXPECT_TRUE(store.database().health());
    {
        const FileSizeLimit limit(256 * 1024);
        const auto refused = store.transact([](Transaction& tx) { return insert(tx, std::string(1'000'000, 'x')); });
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind(), Kind::unavailable) << refused.error().message();
        EXPECT_EQ(store.database().health().error().kind(), Kind::unavailable);
    }
    // Asking for the health tries again. A body that fails changes nothing: it only lets the writer's thread go on.
    for (int i = 0; i < 10'000 && !store.database().health(); ++i) {
        EXPECT_FALSE(store.transact([](Transaction&) -> Result<int> { return Error(Kind::conflict, "no"); }));
    }
    EXPECT_TRUE(store.database().health());
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM things")), 0);
    value(store.execute("INSERT INTO things VALUES ('after')"));
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM things")), 1);
}

} // namespace
} // namespace flotilla::transaction_test
