#include <flotilla/store/framework_tables.hpp>

#include <flotilla/store/job_table.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::framework_tables_test {
namespace {

using test::TestDatabase;
using test::value;

struct Row {
    std::int64_t position = 0;
    std::string event_id, topic;
    std::int64_t partition = 0;
    std::string key;
    std::optional<std::int64_t> sequence;
    std::int64_t occurred_at = 0;
    std::string traceparent, payload;
    std::optional<std::int64_t> published_at;
    bool operator==(const Row&) const = default;
};

// Goal: a database of an older program keeps its events, numbered or not, and numbers stay unique.
TEST(FrameworkTables, EventsSurviveTheLeanOutbox) {
    TestDatabase store("sqlite::memory:");
    value(store.migrate("flotilla", framework_migrations().first(5)));
    // As it was made before keys were translated: the comment keeps them from being so.
    value(store.execute("DROP TABLE flotilla_outbox"));
    value(store.execute(
        "CREATE TABLE flotilla_outbox (position /**/BIGINT NOT NULL PRIMARY KEY, event_id TEXT NOT NULL,"
        " topic TEXT NOT NULL, partition BIGINT NOT NULL, key TEXT NOT NULL, sequence BIGINT,"
        " occurred_at BIGINT NOT NULL, traceparent TEXT NOT NULL, payload TEXT NOT NULL, published_at BIGINT)"));
    value(
        store.execute("CREATE INDEX flotilla_outbox_unsequenced ON flotilla_outbox (position) WHERE sequence IS NULL"));
    value(
        store.execute("CREATE UNIQUE INDEX flotilla_outbox_sequence ON flotilla_outbox (topic, partition, sequence)"));
    value(
        store.execute("INSERT INTO flotilla_outbox VALUES (7, 'e-7', 'order.created', 0, 'o-1', 1, 11, 't', '{}', 12),"
                      " (8, 'e-8', 'order.created', 0, 'o-2', 2, 13, 't', '{\"a\":1}', NULL),"
                      " (9, 'e-9', 'order.created', 0, 'o-3', NULL, 14, 't', '{}', NULL)"));
    const auto rows = [&] { return value(store.select<Row>("SELECT * FROM flotilla_outbox ORDER BY position")); };
    const auto before = rows();
    ASSERT_EQ(before.size(), 3U);
    store.create_framework_tables();
    EXPECT_EQ(rows(), before);
    EXPECT_EQ(store.execute("UPDATE flotilla_outbox SET sequence = 2 WHERE position = 9").error().code(),
              "unique_violation");
    EXPECT_EQ(store.execute("INSERT INTO flotilla_outbox SELECT * FROM flotilla_outbox").error().code(),
              "unique_violation");
}

// Goal: what the relay asks for is found by an index, however many events wait or were published.
TEST(FrameworkTables, OutboxIsReadByIndex) {
    TestDatabase store("sqlite::memory:");
    store.create_framework_tables();
    const auto plan_of = [&](const std::string& query, std::size_t parameters) {
        std::string plan;
        value(store.transact([&](Transaction& tx) -> Result<int> {
            const std::vector<SqlValue> arguments(parameters, SqlValue(std::int64_t{1}));
            auto done = tx.run("EXPLAIN QUERY PLAN " + query, arguments, [&](const SqlRow& row) -> Result<void> {
                plan += std::string(row.text(row.columns() - 1)) + "\n";
                return {};
            });
            if (!done) return std::move(done.error());
            return 0;
        }));
        return plan;
    };
    const std::string from = " FROM flotilla_outbox WHERE ";
    const std::string waiting = plan_of("SELECT payload" + from + "sequence IS NULL ORDER BY position LIMIT $1", 1);
    EXPECT_EQ(waiting, "SCAN flotilla_outbox USING INDEX flotilla_outbox_unsequenced\n");
    const std::string numbered =
        plan_of("SELECT payload" + from +
                    "topic = $1 AND partition = $2 AND sequence >= $3 AND sequence <= $4 ORDER BY sequence",
                4);
    EXPECT_EQ(numbered, "SEARCH flotilla_outbox USING INDEX flotilla_outbox_sequence (topic=? AND partition=? AND "
                        "sequence>? AND sequence<?)\n");
    EXPECT_EQ(plan_of("UPDATE flotilla_outbox SET sequence = $1 WHERE position = $2", 2),
              "SEARCH flotilla_outbox USING INTEGER PRIMARY KEY (rowid=?)\n");
}

struct JobRow {
    std::string id, state;
    std::int64_t due_at = 0;
    std::optional<std::int64_t> finished_at;
    bool operator==(const JobRow&) const = default;
};

// Goal: jobs and parked events of an older program's database stay as they are, are counted, and are found.
TEST(FrameworkTables, JobsSurviveTheirNewIndexes) {
    TestDatabase store("sqlite::memory:");
    value(store.migrate("flotilla", framework_migrations().first(6)));
    value(store.execute("INSERT INTO flotilla_jobs VALUES "
                        "('q1', 'mail', '1', '{}', '', 'queued', 0, 0, 10, 1, NULL, NULL),"
                        "('q2', 'mail', '2', '{}', '', 'queued', 2, 0, 20, 2, NULL, 'no server'),"
                        "('r1', 'mail', '3', '{}', '', 'running', 1, 1, 5, 3, NULL, NULL),"
                        "('d1', 'mail', '4', '{}', '', 'done', 1, 1, 5, 4, 100, NULL),"
                        "('p1', 'mail', '5', '{}', '', 'parked', 9, 9, 5, 5, 100, 'x'),"
                        "('p2', 'bill', '6', '{}', '', 'parked', 9, 9, 5, 6, 100, 'x')"));
    value(store.execute("INSERT INTO flotilla_parked VALUES "
                        "('e1', 'mail', 'order.created', 0, 'shop', 7, 'k', '{}', 'x', 1, 50),"
                        "('e2', 'mail', 'order.created', 0, 'shop', 8, 'k', '{}', 'x', 1, 40)"));
    const auto jobs = [&] {
        return value(store.select<JobRow>("SELECT id, state, due_at, finished_at FROM flotilla_jobs ORDER BY id"));
    };
    const auto before = jobs();
    store.create_framework_tables();
    EXPECT_EQ(jobs(), before);
    EXPECT_EQ(value(store.select<std::string>("SELECT kind || ' ' || queued || ' ' || parked FROM flotilla_job_counts "
                                              "ORDER BY kind")),
              (std::vector<std::string>{"bill 0 1", "mail 2 1"}));
    EXPECT_EQ(value(store.select<std::string>("SELECT id FROM flotilla_parked ORDER BY parked_at")),
              (std::vector<std::string>{"e2", "e1"}));
    EXPECT_EQ(store
                  .execute("INSERT INTO flotilla_parked VALUES ('e3', 'mail', 'order.created', 0, 'shop', 8, 'k', "
                           "'{}', 'x', 1, 40)")
                  .error()
                  .code(),
              "unique_violation");
    EXPECT_EQ(value(store.transact(jobs::Recover{9, 1})), 1);
    const auto taken = value(store.transact(jobs::TakeDue{{"mail"}, 10, 1}));
    ASSERT_EQ(taken.jobs.size(), 3U);
    EXPECT_EQ(taken.jobs[0].id, "r1");
}

} // namespace
} // namespace flotilla::framework_tables_test
