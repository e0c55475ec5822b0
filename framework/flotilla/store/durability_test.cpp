#include <sys/wait.h>

#include <csignal>
#include <random>
#include <set>

#include <flotilla/store/projection_runner.hpp>
#include <flotilla/store/test_account.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::durability_test {
namespace {

using test::TestDatabase;
using test::value;

/// Writes rows for ever and reports each id, a line each, once transact() has answered.
task<void> write_rows(Context& context, Database& database, int output, int round, int writer) {
    for (int i = 0;; ++i) {
        std::string id = std::to_string(round) + "-" + std::to_string(writer) + "-" + std::to_string(i);
        const auto written = co_await database.transact(context, [id](Transaction& tx) -> Result<std::int64_t> {
            if (auto row = tx.execute("INSERT INTO things (id, filler) VALUES ($1, $2)", id, std::string(200, 'x'));
                !row)
                return row;
            return tx.execute("UPDATE totals SET things = things + 1");
        });
        if (!written) ::_exit(3);
        id += '\n';
        if (::write(output, id.data(), id.size()) != static_cast<ssize_t>(id.size())) ::_exit(4);
    }
}

[[noreturn]] void run_writers(const std::string& url, int output, int round) {
    TestDatabase store(url);
    auto work = [&](Context& context) -> task<void> {
        Scope scope(context);
        for (int writer = 0; writer < 8; ++writer)
            scope.spawn(write_rows(scope.context(), store.database(), output, round, writer));
        co_await scope.join();
    };
    store.run(work);
    ::_exit(5);
}

/// Reads complete lines until `count` of them are there, then kills the child and reads what it still said.
std::vector<std::string> kill_after(pid_t child, int input, std::size_t count) {
    std::vector<std::string> lines;
    std::string text;
    std::array<char, 4096> buffer{};
    bool killed = false;
    while (true) {
        const auto size = ::read(input, buffer.data(), buffer.size());
        if (size <= 0) break;
        text.append(buffer.data(), static_cast<std::size_t>(size));
        for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
            lines.push_back(text.substr(0, end));
            text.erase(0, end + 1);
        }
        if (!killed && lines.size() >= count) killed = ::kill(child, SIGKILL) == 0;
    }
    return lines;
}

// Goal: whatever was acknowledged is there after kill -9 at any point, and the database is whole.
TEST(Durability, KillWriterLosesNothingAcknowledged) {
    const test::TemporaryFolder folder;
    const auto url = folder.url("killed.db");
    {
        TestDatabase store(url);
        value(store.execute("CREATE TABLE things (id TEXT PRIMARY KEY, filler TEXT)"));
        value(store.execute("CREATE TABLE totals (things BIGINT)"));
        value(store.execute("INSERT INTO totals VALUES (0)"));
    }
    std::mt19937 random(20260131);
    std::set<std::string> acknowledged;
    for (int round = 0; round < 12; ++round) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(ends[0]);
            run_writers(url, ends[1], round);
        }
        ::close(ends[1]);
        const auto lines = kill_after(child, ends[0], 1 + random() % 1500);
        ::close(ends[0]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << status;
        acknowledged.insert(lines.begin(), lines.end());

        TestDatabase store(url);
        const auto found = value(store.select<std::string>("SELECT id FROM things"));
        const std::set<std::string> kept(found.begin(), found.end());
        for (const auto& id : acknowledged)
            EXPECT_TRUE(kept.contains(id)) << id << " was acknowledged in round " << round;
        EXPECT_EQ(value(store.find<std::int64_t>("SELECT things FROM totals")), static_cast<std::int64_t>(kept.size()));
    }
    EXPECT_GT(acknowledged.size(), 12U);
}

namespace account = test::account;

/// Appends payments for ever and reports each, "account version" a line, once transact() has answered.
task<void> pay_for_ever(Context& context, Database& database, int output, std::string id) {
    for (;;) {
        const auto paid = co_await database.transact(context, [id](Transaction& tx) {
            auto instance = load(tx, account::accounts, id);
            NewEvents happened;
            if (!instance.exists()) happened.add(account::opened, {.owner = id});
            happened.add(account::paid, {.amount = 1});
            return append(tx, account::accounts, instance, happened);
        });
        if (!paid) ::_exit(3);
        const auto line = id + " " + std::to_string(paid->version) + "\n";
        if (::write(output, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(4);
    }
}

/// What keeps the projection up is made anew with each process, as the role's holder does.
struct Projecting {
    explicit Projecting(TestDatabase& store)
        : runner(store.world(), store.take_role(), account::balances_v1, true, telemetry, {.batch = 16}) {}
    Telemetry telemetry{Logger("test", LogLevel::error, Logger::Format::json, [](std::string_view) {})};
    ProjectionRunner runner;
};

[[noreturn]] void run_payments(const std::string& url, int output) {
    TestDatabase store(url);
    Projecting projecting(store);
    auto work = [&](Context& context) -> task<void> {
        Scope scope(context);
        scope.spawn(projecting.runner.run(scope.context()));
        for (int writer = 0; writer < 8; ++writer)
            scope.spawn(pay_for_ever(scope.context(), store.database(), output, std::to_string(writer)));
        co_await scope.join();
    };
    store.run(work);
    ::_exit(5);
}

struct Sums {
    std::int64_t balance = 0, events = 0;
};

// Goal: whenever a process is killed, acknowledged events are there without gaps, snapshots are what the events say,
// and a projection's table and its checkpoint agree; the next process goes on from there.
TEST(Durability, KillWhileProjectingKeepsTableAndCheckpointTogether) {
    const test::TemporaryFolder folder;
    const auto url = folder.url("projected.db");
    {
        TestDatabase store(url);
        store.create_framework_tables();
        value(store.migrate("events", event_migrations()));
        value(store.migrate("service", account::kMigrations));
    }
    std::mt19937 random(20260202);
    int behind = 0;
    for (int round = 0; round < 10; ++round) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(ends[0]);
            run_payments(url, ends[1]);
        }
        ::close(ends[1]);
        const auto lines = kill_after(child, ends[0], 1 + random() % 800);
        ::close(ends[0]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << status;

        TestDatabase store(url);
        for (const auto& line : lines) {
            const auto space = line.find(' ');
            const auto kept =
                value(store.find<std::int64_t>("SELECT version FROM flotilla_events WHERE stream = $1 AND version = $2",
                                               "account-" + line.substr(0, space), std::stoll(line.substr(space + 1))));
            EXPECT_TRUE(kept.has_value()) << line << " was acknowledged in round " << round;
        }
        EXPECT_EQ(
            value(store.select<std::int64_t>("SELECT count(*) FROM (SELECT 1 FROM flotilla_events GROUP BY stream "
                                             "HAVING max(version) <> count(*))"))
                .at(0),
            0);
        for (int writer = 0; writer < 8; ++writer) {
            const auto id = std::to_string(writer);
            value(store.transact([id](Transaction& tx) {
                EXPECT_EQ(load(tx, account::accounts, id)->balance, load(tx, account::unkept, id)->balance);
            }));
        }
        const auto position = value(store.find<std::int64_t>("SELECT position FROM flotilla_checkpoints")).value_or(0);
        const auto told = value(store.select<Sums>("SELECT coalesce(sum(type = 'account.paid'), 0) AS balance, "
                                                   "count(*) AS events FROM flotilla_events "
                                                   "WHERE position <= $1",
                                                   position))
                              .at(0);
        const auto shown =
            value(
                store.select<Sums>(
                    "SELECT coalesce(sum(balance), 0) AS balance, coalesce(sum(events), 0) AS events FROM balances_1"))
                .at(0);
        EXPECT_EQ(shown.balance, told.balance) << "of round " << round;
        EXPECT_EQ(shown.events, told.events) << "of round " << round;
        if (position < value(store.find<std::int64_t>("SELECT max(position) FROM flotilla_events"))) ++behind;
    }
    EXPECT_GT(behind, 0) << "it was never killed behind the events: little is proved";
}

} // namespace
} // namespace flotilla::durability_test
