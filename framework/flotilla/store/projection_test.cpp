#include <flotilla/store/projection.hpp>

#include <flotilla/store/checkpoint_table.hpp>
#include <flotilla/store/projection_runner.hpp>
#include <flotilla/store/test_account.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::projection_test {
namespace {

using namespace test::account;
using namespace std::chrono_literals;
using test::TestDatabase;
using test::value;

struct Followed {
    const EventFollower& follower;
    bool newest = true;
};

class ProjectionTest : public testing::Test {
protected:
    void SetUp() override {
        store.create_framework_tables();
        value(store.migrate("events", event_migrations()));
        value(store.migrate("service", kMigrations));
    }

    /// The test, while these are kept up. Ends with it, or with the exception of one of them.
    template <class Test>
    void run_with(std::initializer_list<Followed> followed, Test test) {
        auto& tenure = store.take_role();
        runners.clear();
        for (const auto& [follower, newest] : followed) {
            runners.push_back(std::make_unique<ProjectionRunner>(store.world(), tenure, follower, newest, telemetry,
                                                                 ProjectionRunner::Options{.batch = batch}));
        }
        auto all = [&](Context& context) -> task<void> {
            Scope scope(context);
            for (auto& runner : runners)
                scope.spawn(runner->run(scope.context()));
            Context bounded(context, 20s);
            co_await test(bounded);
            scope.cancel(Error(Kind::unavailable, "stopping"));
            co_await scope.join();
        };
        store.run(all);
    }
    task<Result<Appended>> append(Context& context, std::string id, NewEvents happened) {
        return store.database().transact(context, [id = std::move(id), happened](Transaction& tx) {
            return events::append(tx, accounts.stream_of(id), events::kAnyVersion, happened);
        });
    }
    void append(std::string id, NewEvents happened) {
        Context context(store.world());
        value(store.loop().run_until_done(append(context, std::move(id), std::move(happened))));
    }
    task<Result<std::optional<Balance>>> read(Context& context, int version, std::string id) {
        return store.database().find(context, version == 1 ? balances_1 : balances_2, id);
    }
    /// Looks every millisecond.
    task<void> until(Context& context, std::function<bool()> condition) {
        while (!condition()) {
            const auto slept = co_await sleep_for(context, 1ms);
            if (!slept) throw std::runtime_error("it has not come true");
        }
    }
    std::int64_t gauge(std::string_view name, const EventFollower& follower) {
        return telemetry.metrics
            .gauge(name, "",
                   {{"projection", std::string(follower.name)}, {"version", std::to_string(follower.version)}})
            .value();
    }
    std::int64_t count(std::string_view sql) { return value(store.select<std::int64_t>(sql)).at(0); }
    std::string said(std::string_view what) {
        for (const auto& line : lines)
            if (line.find(what) != std::string::npos) return line;
        return {};
    }

    TestDatabase store;
    std::int64_t batch = 256;
    ReadModel balances{store.database(), "balances"};
    std::vector<std::string> lines;
    Telemetry telemetry{Logger("test", LogLevel::info, Logger::Format::json,
                               [this](std::string_view line) { lines.emplace_back(line); })};
    std::vector<std::unique_ptr<ProjectionRunner>> runners;
};

// Goal: a projection holds what the events say, those from before its start and those that come, and who has written
// reads it.
TEST_F(ProjectionTest, FollowsTheEvents) {
    batch = 3;
    append("1", {opened, {}});
    for (int i = 0; i < 10; ++i)
        append("1", {paid, {.amount = 1}});
    run_with({{balances_v1}}, [&](Context& context) -> task<void> {
        EXPECT_TRUE(co_await balances.caught_up(context));
        const auto before = value(co_await read(context, 1, "1"));
        EXPECT_EQ(before.value().balance, 10);
        for (int i = 1; i <= 20; ++i) {
            const auto appended = value(co_await append(context, "1", {paid, {.amount = 1}}));
            if (i % 2 == 0)
                EXPECT_TRUE(co_await balances.caught_up(context, appended.position));
            else
                EXPECT_TRUE(co_await balances.caught_up(context));
            const auto now = value(co_await read(context, 1, "1"));
            EXPECT_EQ(now.value().balance, 10 + i);
        }
        EXPECT_EQ(value(co_await balances.live(context)), 1);
        EXPECT_TRUE(runners[0]->health());
        co_await until(context, [&] { return gauge("flotilla_projection_lag_events", balances_v1) == 0; });
    });
    EXPECT_EQ(count("SELECT events FROM balances_1"), 31);
}

// Goal: an event that cannot be taken stops its projection there, at once visible with position, type and reason; what
// was before it is taken, nothing behind it, and it goes on by itself once it is mended, with nothing left out or
// taken twice.
TEST_F(ProjectionTest, PoisonEventStopsItVisiblyAndIsNeverSkipped) {
    value(store.execute("INSERT INTO poison (amount) VALUES (13)"));
    NewEvents happened{opened, {}};
    for (const int amount : {1, 2, 13, 4})
        happened.add(paid, {.amount = amount});
    append("1", happened);
    run_with({{balances_v1}}, [&](Context& context) -> task<void> {
        const auto began = store.world().monotonic();
        co_await until(context, [&] {
            return !runners[0]->health() && gauge("flotilla_projection_lag_events", balances_v1) == 2;
        });
        EXPECT_LT(store.world().monotonic() - began, 5s);
        const auto why = runners[0]->health().error();
        EXPECT_EQ(why.kind(), Kind::unavailable);
        EXPECT_NE(
            why.message().find("the projection balances 1 has stopped at position 4 (account.paid, account-1 at 4)"),
            std::string::npos)
            << why.message();
        EXPECT_NE(why.message().find("no such amount: 13"), std::string::npos) << why.message();
        EXPECT_EQ(gauge("flotilla_projection_stopped", balances_v1), 1);
        const auto line = said("a projection has stopped");
        for (const char* part : {R"("position":4)", "account.paid", "no such amount: 13", R"("level":"error")"})
            EXPECT_NE(line.find(part), std::string::npos) << part << " in " << line;
        EXPECT_EQ(value(co_await read(context, 1, "1")).value().balance, 3);

        // Events that come meanwhile wait behind it; who waits for them is told.
        EXPECT_TRUE(co_await append(context, "1", {paid, {.amount = 5}}));
        Context hurried(context, 50ms);
        const auto behind = co_await balances.caught_up(hurried);
        EXPECT_EQ(behind.error().code(), "projection_behind");
        EXPECT_NE(behind.error().message().find("balances is at position 3 of 6"), std::string::npos)
            << behind.error().message();
        EXPECT_EQ(std::ranges::count_if(lines,
                                        [](const auto& each) { return each.find("has stopped") != std::string::npos; }),
                  1);

        EXPECT_TRUE(co_await store.database().transact(
            context, [](Transaction& tx) { return tx.execute("DELETE FROM poison"); }));
        EXPECT_TRUE(co_await balances.caught_up(context));
        EXPECT_EQ(value(co_await read(context, 1, "1")).value().balance, 25);
        EXPECT_EQ(value(co_await read(context, 1, "1")).value().events, 6);
        co_await until(context, [&] { return runners[0]->health().has_value(); }); // it hears of its commit as we do
        EXPECT_EQ(gauge("flotilla_projection_stopped", balances_v1), 0);
        EXPECT_FALSE(said("a projection goes on").empty());
    });
}

void throw_at(Transaction&, const Paid&) { throw std::runtime_error("a bug in it"); }
constexpr Projection kThrows{"throws", 1, {when<paid, throw_at>}};

// Goal: a function that throws, and an event that this release cannot read, stop it in the same way.
TEST_F(ProjectionTest, BugsAndUnreadableEventsStopItAsWell) {
    append("1", {opened, {}});
    append("1", {paid, {.amount = 1}});
    value(store.execute("UPDATE flotilla_events SET schema_version = 2 WHERE position = 1"));
    run_with({{kThrows}, {balances_v1}}, [&](Context& context) -> task<void> {
        co_await until(context, [&] { return !runners[0]->health() && !runners[1]->health(); });
        EXPECT_NE(runners[0]->health().error().message().find("a bug in it"), std::string::npos);
        const auto unreadable = runners[1]->health().error().message();
        EXPECT_NE(unreadable.find("position 1"), std::string::npos) << unreadable;
        EXPECT_NE(unreadable.find("knows versions 1 to 1"), std::string::npos) << unreadable;
    });
}

// Goal: a database that does not serve for a while is an outage, told as one, and no event's fault.
TEST_F(ProjectionTest, OutageStopsItForAsLongAsItLasts) {
    append("1", {opened, {}});
    value(store.execute("ALTER TABLE flotilla_checkpoints RENAME TO gone"));
    run_with({{balances_v1}}, [&](Context& context) -> task<void> {
        co_await until(context, [&] { return !runners[0]->health(); });
        const auto why = runners[0]->health().error().message();
        EXPECT_EQ(why.find("at position"), std::string::npos) << why;
        EXPECT_TRUE(co_await store.database().transact(
            context, [](Transaction& tx) { return tx.execute("ALTER TABLE gone RENAME TO flotilla_checkpoints"); }));
        EXPECT_TRUE(co_await balances.caught_up(context));
        co_await until(context, [&] { return runners[0]->health().has_value(); });
    });
}

// Goal: while a new version is built, the old one serves and is kept up; readers never go back in time, never miss what
// they have waited for, and read the new one from the swap on.
TEST_F(ProjectionTest, RebuildBesideTheLiveOneAndSwapUnderWrites) {
    batch = 8;
    for (const char* id : {"1", "2"})
        append(id, {opened, {}});
    run_with({{balances_v1}}, [&](Context& context) -> task<void> {
        for (int i = 0; i < 100; ++i)
            EXPECT_TRUE(co_await append(context, "1", {paid, {.amount = 1}}));
        EXPECT_TRUE(co_await balances.caught_up(context));
    });
    std::set<int> served;
    run_with({{balances_v1, false}, {balances_v2}}, [&](Context& context) -> task<void> {
        std::int64_t last = 0;
        for (int i = 1; served.size() < 2 || i <= 50; ++i) {
            EXPECT_TRUE(co_await append(context, "1", {paid, {.amount = 1}}));
            if (i % 3 == 0) EXPECT_TRUE(co_await balances.caught_up(context));
            const int version = value(co_await balances.live(context));
            const auto now = value(co_await read(context, version, "1")).value().balance;
            EXPECT_GE(now, last);
            if (i % 3 == 0) EXPECT_EQ(now, 100 + i);
            last = now;
            served.insert(version);
            if (::testing::Test::HasFailure()) break;
        }
        EXPECT_TRUE(co_await balances.caught_up(context));
        EXPECT_EQ(value(co_await balances.live(context)), 2);
    });
    EXPECT_EQ(served, (std::set{1, 2})) << "not both were seen serving: nothing is proved";
    EXPECT_EQ(count("SELECT count(*) FROM flotilla_checkpoints WHERE live = 1"), 1);
    EXPECT_FALSE(said("has become the live one").empty());
    const auto ended = count("SELECT balance FROM balances_2 WHERE account = '1'");
    EXPECT_EQ(ended, count("SELECT count(*) FROM flotilla_events WHERE type = 'account.paid'"));

    // The next release has the new version alone, and a former one brings its own up to date and back.
    append("2", {paid, {.amount = 7}});
    run_with({{balances_v2}},
             [&](Context& context) -> task<void> { EXPECT_TRUE(co_await balances.caught_up(context)); });
    EXPECT_EQ(count("SELECT balance FROM balances_2 WHERE account = '2'"), 7);
    EXPECT_EQ(count("SELECT balance FROM balances_1 WHERE account = '2'"), 0);
    run_with({{balances_v1}}, [&](Context& context) -> task<void> {
        EXPECT_TRUE(co_await balances.caught_up(context));
        while (value(co_await balances.live(context)) != 1)
            value(co_await sleep_for(context, 1ms));
    });
    EXPECT_EQ(count("SELECT balance FROM balances_1 WHERE account = '2'"), 7);
}

// Goal: a release that no longer has the old version's functions leaves its tables as they are and builds the new one.
TEST_F(ProjectionTest, OldVersionServesWithoutItsFunctions) {
    append("1", {opened, {}});
    run_with({{balances_v1}},
             [&](Context& context) -> task<void> { EXPECT_TRUE(co_await balances.caught_up(context)); });
    value(store.execute("INSERT INTO poison (amount) VALUES (13)"));
    append("1", {paid, {.amount = 13}});
    run_with({{balances_v2}}, [&](Context& context) -> task<void> {
        co_await until(context, [&] {
            return !runners[0]->health() && gauge("flotilla_projection_lag_events", balances_v2) == 1;
        });
        EXPECT_EQ(value(co_await balances.live(context)), 1);
        EXPECT_EQ(value(co_await read(context, 1, "1")).value().events, 1);
        EXPECT_TRUE(co_await store.database().transact(
            context, [](Transaction& tx) { return tx.execute("DELETE FROM poison"); }));
        EXPECT_TRUE(co_await balances.caught_up(context));
        EXPECT_EQ(value(co_await balances.live(context)), 2);
    });
}

// Goal: a new version does not become the live one before it has all that readers of the live one have seen, nor while
// there is more to take.
TEST_F(ProjectionTest, SwapWaitsUntilAllIsTaken) {
    NewEvents happened{opened, {}};
    for (int i = 0; i < 4; ++i)
        happened.add(paid, {.amount = 1});
    append("1", happened);
    const auto take = [&](const Projection& projection, bool newest, std::int64_t to, std::int64_t limit, bool all) {
        return value(store.transact(checkpoints::TakeNext{.follower = &projection,
                                                          .newest = newest,
                                                          .to = to,
                                                          .limit = limit,
                                                          .all = all,
                                                          .failed = std::make_shared<checkpoints::Failed>()}));
    };
    EXPECT_TRUE(take(balances_v1, false, 2, 10, true).live);
    EXPECT_FALSE(take(balances_v2, true, 5, 2, true).swapped);   // there may be more
    EXPECT_FALSE(take(balances_v2, true, 3, 10, false).swapped); // something stands in its way
    EXPECT_EQ(take(balances_v1, false, 5, 10, true).position, 5);
    EXPECT_FALSE(take(balances_v2, true, 4, 10, true).swapped); // the head has moved, and the live one with it
    const auto last = take(balances_v2, true, 5, 10, true);
    EXPECT_TRUE(last.swapped);
    EXPECT_TRUE(last.live);
    EXPECT_TRUE(take(balances_v1, false, 5, 10, true).followed);
}

// Goal: a subscription does something once for each event, from the beginning or from its own first start on, also when
// its host ends in between.
TEST_F(ProjectionTest, SubscriptionActsOncePerEvent) {
    append("1", {closed, {}});
    ReadModel early(store.database(), closings.name);
    ReadModel late(store.database(), late_closings.name);
    for (int round = 1; round <= 3; ++round) {
        run_with({{closings}, {late_closings}}, [&](Context& context) -> task<void> {
            EXPECT_TRUE(co_await early.caught_up(context));
            EXPECT_TRUE(co_await late.caught_up(context));
            EXPECT_TRUE(co_await append(context, "2", {closed, {}}));
            EXPECT_TRUE(co_await early.caught_up(context));
            EXPECT_TRUE(co_await late.caught_up(context));
        });
    }
    EXPECT_EQ(count("SELECT count(*) FROM closings WHERE account = '1'"), 1);
    EXPECT_EQ(count("SELECT count(*) FROM closings WHERE account = '2'"), 6);
}

// Goal: one that is up to date costs nothing but a look: no transaction, no write.
TEST_F(ProjectionTest, IdleProjectionWritesNothing) {
    append("1", {opened, {}});
    run_with({{balances_v1}}, [&](Context& context) -> task<void> {
        EXPECT_TRUE(co_await balances.caught_up(context));
        const auto before = store.statistics().bodies;
        for (int i = 0; i < 10; ++i) {
            EXPECT_TRUE(co_await balances.caught_up(context));
            EXPECT_TRUE(co_await sleep_for(context, 1ms)); // its turn
        }
        EXPECT_EQ(store.statistics().bodies, before);
    });
}

} // namespace
} // namespace flotilla::projection_test
