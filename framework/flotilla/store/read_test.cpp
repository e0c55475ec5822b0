#include <flotilla/store/test_database.hpp>

namespace flotilla::read_test {
namespace {

using test::TestDatabase;
using test::value;

class ReadTest : public testing::Test {
protected:
    void SetUp() override {
        value(store.transact([](Transaction& tx) -> Result<std::int64_t> {
            if (auto created = tx.execute("CREATE TABLE numbers (id BIGINT PRIMARY KEY, square BIGINT NOT NULL)");
                !created)
                return created;
            return tx.execute(
                "INSERT INTO numbers WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
                "SELECT i, i * i FROM n");
        }));
    }
    TestDatabase store;
};

// Goal: a point read finds its row; a query that scans is refused with advice, and the next read works again.
TEST_F(ReadTest, FindByScanningIsRefused) {
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT square FROM numbers WHERE id = $1", 150)), 22500);
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT square FROM numbers WHERE id = $1", 0)), std::nullopt);
    const auto scanned = store.find<std::int64_t>("SELECT id FROM numbers WHERE square = $1", 22500);
    ASSERT_FALSE(scanned);
    EXPECT_EQ(scanned.error().kind(), Kind::internal);
    EXPECT_NE(scanned.error().message().find("use select()"), std::string::npos) << scanned.error().message();
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT square FROM numbers WHERE id = $1", 3)), 9);
}

// Goal: find() is for one row.
TEST_F(ReadTest, FindSeveralRowsIsAnError) {
    const auto several = store.find<std::int64_t>("SELECT id FROM numbers WHERE id < 3");
    ASSERT_FALSE(several);
    EXPECT_EQ(several.error().kind(), Kind::internal);
}

// Goal: reads cannot write.
TEST_F(ReadTest, WriteInReadIsRefused) {
    EXPECT_EQ(store.find<std::int64_t>("DELETE FROM numbers WHERE id = 1 RETURNING id").error().kind(), Kind::internal);
    EXPECT_EQ(store.select<std::int64_t>("DELETE FROM numbers RETURNING id").error().kind(), Kind::internal);
    EXPECT_EQ(value(store.select<std::int64_t>("SELECT count(*) FROM numbers")).front(), 20000);
}

// Goal: what transact() answered is seen by the next read, of this object and of others.
TEST_F(ReadTest, ReadAfterAcknowledgedWriteSeesIt) {
    const auto other = store.open_another("sqlite::memory:?bodies=twice");
    auto test = [&](Context& context) -> task<void> {
        for (std::int64_t i = 1; i <= 200; ++i) {
            const auto done = co_await store.database().transact(context, [i](Transaction& tx) {
                return tx.execute("UPDATE numbers SET square = $1 WHERE id = 7", -i);
            });
            EXPECT_TRUE(done.has_value());
            const auto here =
                co_await store.database().find<std::int64_t>(context, "SELECT square FROM numbers WHERE id = 7");
            const auto there = co_await other->find<std::int64_t>(context, "SELECT square FROM numbers WHERE id = 7");
            EXPECT_EQ(here, std::optional(-i));
            EXPECT_EQ(there, std::optional(-i));
            if (i % 50 != 0) continue;
            const auto scanned =
                co_await store.database().select<std::int64_t>(context, "SELECT square FROM numbers WHERE square < 0");
            EXPECT_EQ(scanned, (std::vector<std::int64_t>{-i}));
        }
    };
    store.run(test);
}

task<Result<std::vector<std::int64_t>>> evens(Context& context, Database& database) {
    return database.select<std::int64_t>(context, "SELECT id FROM numbers WHERE square % $1 = 0 ORDER BY id", 2);
}

// Goal: many scans at once each give the whole answer, while the loop and the writer go on.
TEST_F(ReadTest, ScanConcurrentlyGivesEveryRowToEach) {
    auto test = [&](Context& context) -> task<void> {
        std::vector<task<Result<std::vector<std::int64_t>>>> scans;
        for (int i = 0; i < 20; ++i)
            scans.push_back(evens(context, store.database()));
        auto works = all_settled(context, std::move(scans));
        for (const auto& rows : co_await std::move(works))
            EXPECT_EQ(rows->size(), 10000U);
    };
    store.run(test);
}

constexpr std::string_view kEndless =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

// Goal: a scan whose caller gives up ends, and does not keep a thread of the pool.
TEST_F(ReadTest, CancelScanStopsIt) {
    auto test = [&](Context& context) -> task<void> {
        // More of them than the pool has threads: without an end the last select would never come to its turn.
        for (int i = 0; i < 12; ++i) {
            Context hurried(context, std::chrono::milliseconds(5));
            const auto outcome = co_await store.database().select<std::int64_t>(hurried, kEndless);
            EXPECT_EQ(outcome.error().kind(), Kind::deadline_exceeded);
        }
        const auto rows =
            co_await store.database().select<std::int64_t>(context, "SELECT id FROM numbers WHERE id <= 3");
        EXPECT_EQ(rows->size(), 3U);
    };
    store.run(test);
}

// Goal: a scan that is under way does not keep the database from closing.
TEST_F(ReadTest, CloseDatabaseWhileScanRunsIsSafe) {
    auto other = store.open_another("sqlite::memory:?bodies=twice");
    auto test = [&](Context& context) -> task<void> {
        {
            Context hurried(context, std::chrono::milliseconds(5));
            const auto outcome = co_await other->select<std::int64_t>(hurried, kEndless);
            EXPECT_FALSE(outcome.has_value());
        }
        other.reset();
    };
    store.run(test);
}

// Goal: a statement prepared before a change of the schema works after it.
TEST_F(ReadTest, ChangeSchemaUnderPreparedReadsWorks) {
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT square FROM numbers WHERE id = $1", 4)), 16);
    value(store.execute("ALTER TABLE numbers ADD COLUMN note TEXT"));
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT square FROM numbers WHERE id = $1", 4)), 16);
    const auto note = value(store.find<std::optional<std::string>>("SELECT note FROM numbers WHERE id = $1", 4));
    ASSERT_TRUE(note);
    EXPECT_EQ(*note, std::nullopt);
}

} // namespace
} // namespace flotilla::read_test
