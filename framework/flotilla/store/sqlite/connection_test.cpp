#include <flotilla/store/sqlite/connection.hpp>

#include <flotilla/store/sqlite/file_check.hpp>
#include <flotilla/store/sqlite/online_copy.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::sqlite::connection_test {
namespace {

class ConnectionTest : public testing::Test {
protected:
    void SetUp() override {
        test::value(connection->script("CREATE TABLE parent (id TEXT PRIMARY KEY, n INTEGER NOT NULL CHECK (n > 0));"
                                       "CREATE TABLE child (id TEXT PRIMARY KEY, parent TEXT REFERENCES parent (id));"
                                       "INSERT INTO parent VALUES ('a', 1), ('b', 2)"));
    }
    template <class... Arguments>
    Error failure(std::string_view sql, const Arguments&... arguments) {
        auto outcome = connection->execute(sql, arguments...);
        return outcome ? Error(Kind::invalid, "no error") : outcome.error();
    }

    test::TemporaryFolder folder;
    std::string file = (folder.path() / "test.db").string();
    std::unique_ptr<Connection> connection = test::value(Connection::open(file));
};

// Goal: violated constraints are conflicts with the documented codes.
TEST_F(ConnectionTest, ViolateConstraintGivesConflictWithItsCode) {
    EXPECT_EQ(failure("INSERT INTO parent VALUES ('a', 1)"),
              Error(Kind::conflict, "unique_violation", "UNIQUE constraint failed: parent.id"));
    EXPECT_EQ(failure("INSERT INTO child VALUES ('c', 'nobody')").code(), "foreign_key_violation");
    EXPECT_EQ(failure("INSERT INTO parent VALUES ('c', 0)").code(), "check_violation");
    EXPECT_EQ(failure("INSERT INTO parent VALUES ('c', NULL)").code(), "check_violation");
}

// Goal: mistakes in the program are internal errors that show the statement.
TEST_F(ConnectionTest, RunBadStatementGivesInternalErrorWithItsText) {
    for (const auto& error : {failure("SELEC 1"), failure("INSERT INTO parent VALUES ($1, $2)", "x"),
                              failure("SELECT 1; SELECT 2"), failure("SELECT id FROM parent"), failure("COMMIT"),
                              failure("UPDATE parent SET n = \"one\""), failure("-- nothing")}) {
        EXPECT_EQ(error.kind(), Kind::internal) << error.message();
    }
    EXPECT_NE(failure("SELECT nonsense\nFROM parent").message().find("SELECT nonsense FROM parent"), std::string::npos);
}

// Goal: a parameter may be used twice and out of order, and counts of changed rows are exact.
TEST_F(ConnectionTest, ExecuteWithNumberedParametersBindsByNumber) {
    EXPECT_EQ(connection->execute("UPDATE parent SET n = $2 WHERE id = $1 OR n = $2", "a", 2), 2);
    EXPECT_EQ(connection->execute("UPDATE parent SET n = 3 WHERE id = 'nobody'"), 0);
    EXPECT_EQ(connection->execute("CREATE TABLE other (id TEXT)"), 0);
    EXPECT_EQ(connection->execute("INSERT INTO parent VALUES ('a', 1) ON CONFLICT (id) DO NOTHING"), 0);
    EXPECT_EQ(connection->select<std::string>("INSERT INTO parent VALUES ('c', 5) RETURNING id"),
              (std::vector<std::string>{"c"}));
}

// Goal: a statement may be run again while its rows are being read.
TEST_F(ConnectionTest, RunInsideItsOwnRowsUsesASecondStatement) {
    constexpr std::string_view kSelect = "SELECT id FROM parent ORDER BY id";
    std::vector<std::string> seen;
    test::value(connection->run(kSelect, {}, [&](const SqlRow& outer) -> Result<void> {
        seen.emplace_back(outer.text(0));
        auto inner = connection->select<std::string>(kSelect);
        if (!inner) return inner.error();
        EXPECT_EQ(inner->size(), 2U);
        return {};
    }));
    EXPECT_EQ(seen, (std::vector<std::string>{"a", "b"}));
}

// Goal: an error from the row callback ends the query and leaves the statement usable.
TEST_F(ConnectionTest, FailInRowCallbackEndsTheQuery) {
    int rows = 0;
    const auto outcome = connection->run("SELECT id FROM parent", {}, [&](const SqlRow&) -> Result<void> {
        ++rows;
        return Error(Kind::invalid, "enough");
    });
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().message(), "enough");
    EXPECT_EQ(rows, 1);
    EXPECT_EQ(connection->select<std::string>("SELECT id FROM parent")->size(), 2U);
}

// Goal: the statement cache is bounded.
TEST_F(ConnectionTest, RunManyDifferentStatementsStaysCorrect) {
    for (int i = 0; i < 1500; ++i) {
        ASSERT_EQ(test::value(connection->find<std::int64_t>("SELECT " + std::to_string(i) + " + $1", 1)), i + 1);
    }
}

// Goal: readers see what was committed, cannot write, and the data survives them.
TEST_F(ConnectionTest, OpenReaderSeesCommitsAndRefusesWrites) {
    auto reader = test::value(Connection::open(file, {.role = Role::reader}));
    EXPECT_EQ(reader->select<std::string>("SELECT id FROM parent")->size(), 2U);
    test::value(connection->begin());
    test::value(connection->execute("INSERT INTO parent VALUES ('c', 3)"));
    EXPECT_EQ(reader->select<std::string>("SELECT id FROM parent")->size(), 2U);
    test::value(connection->commit());
    EXPECT_EQ(reader->select<std::string>("SELECT id FROM parent")->size(), 3U);

    const auto written = reader->execute("DELETE FROM parent");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().kind(), Kind::internal);
    EXPECT_NE(written.error().message().find("a read must not write"), std::string::npos);
}

// Goal: a savepoint is undone alone.
TEST_F(ConnectionTest, RollBackToSavepointKeepsTheRest) {
    test::value(connection->begin());
    test::value(connection->execute("INSERT INTO parent VALUES ('kept', 3)"));
    test::value(connection->savepoint());
    test::value(connection->execute("INSERT INTO parent VALUES ('undone', 3)"));
    test::value(connection->rollback_to_savepoint());
    test::value(connection->release());
    test::value(connection->commit());
    EXPECT_EQ(connection->find<std::int64_t>("SELECT count(*) FROM parent WHERE id IN ('kept', 'undone')"), 1);
}

// Goal: a file that is no database is reported, not overwritten.
TEST_F(ConnectionTest, OpenForeignFileGivesDamage) {
    const auto other = (folder.path() / "text.db").string();
    std::FILE* text = std::fopen(other.c_str(), "w");
    ASSERT_NE(text, nullptr);
    for (int i = 0; i < 1000; ++i)
        std::fputs("this is no database\n", text);
    std::fclose(text);
    const auto opened = Connection::open(other);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind(), Kind::internal) << "no use to try again";
    EXPECT_EQ(opened.error().code(), FileDamage::kCode);
    EXPECT_NE(opened.error().message().find(other), std::string::npos);
}

// Goal: an exclusive writer keeps others out as long as it lives, and what it committed is there for the next.
TEST_F(ConnectionTest, OpenExclusiveKeepsOthersOut) {
    connection.reset();
    const ConnectionOptions at_once{.busy_timeout = Duration::zero(), .exclusive = true};
    auto first = test::value(Connection::open(file, at_once));
    test::value(first->execute("INSERT INTO parent VALUES ('c', 3)"));
    EXPECT_FALSE(std::filesystem::exists(file + "-shm")) << "no shared memory";
    auto second = Connection::open(file, at_once);
    EXPECT_FALSE(second && (*second)->begin());
    if (second) second->reset();
    first.reset();
    auto third = test::value(Connection::open(file, at_once));
    EXPECT_EQ(test::value(third->execute("UPDATE parent SET n = 4 WHERE id = 'c'")), 1);
}

// Goal: with checkpoints by the owner a commit never checkpoints; the owner's makes the next commit start over.
TEST_F(ConnectionTest, CheckpointByOwnerStartsTheLogOver) {
    connection.reset();
    auto writer = test::value(Connection::open(file, {.checkpoints_by_owner = true}));
    const auto insert = [&](int i) {
        test::value(writer->execute("INSERT INTO parent VALUES ($1, 1)", std::to_string(i) + std::string(9'000, 'x')));
    };
    for (int i = 0; i < 600; ++i)
        insert(i);
    EXPECT_GT(writer->wal_pages(), 1'200) << "SQLite's own limit is 1000";
    const auto size = std::filesystem::file_size(file + "-wal");
    test::value(writer->checkpoint());
    EXPECT_EQ(writer->wal_pages(), 0);
    insert(600);
    EXPECT_LT(writer->wal_pages(), 20);
    EXPECT_EQ(std::filesystem::file_size(file + "-wal"), size) << "written over, not cut";
}

// Goal: a check that takes too long ends in time and says that it did not see everything; one that may take its time
// does.
TEST_F(ConnectionTest, CheckLargeFileEndsInTime) {
    test::value(connection->script(
        "CREATE TABLE numbers (id TEXT PRIMARY KEY, text TEXT); CREATE INDEX by_text ON numbers (text);"
        "INSERT INTO numbers WITH RECURSIVE each (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM each WHERE n < 100000) "
        "SELECT n, hex(zeroblob(50)) || n FROM each"));
    EXPECT_FALSE(test::value(check_file(*connection, std::chrono::milliseconds(1))));
    EXPECT_TRUE(test::value(check_file(*connection, std::chrono::minutes(1))));
}

// Goal: a copy made in steps, while the file changes, holds what is there when it ends, and stands alone.
TEST_F(ConnectionTest, CopyInStepsTakesChangesAlong) {
    for (int i = 0; i < 2000; ++i)
        test::value(
            connection->execute("INSERT INTO parent VALUES ($1, 1)", std::to_string(i) + std::string(900, 'x')));
    const std::string target = file + ".copy";
    auto copy = test::value(OnlineCopy::begin(*connection, target));
    int steps = 0;
    while (!test::value(copy->step(50)))
        test::value(connection->execute("UPDATE parent SET n = $1 WHERE id = 'a'", 100 + ++steps));
    copy.reset();
    EXPECT_GT(steps, 5);
    EXPECT_FALSE(std::filesystem::exists(target + "-wal"));
    auto restored = test::value(Connection::open(target));
    EXPECT_EQ(restored->find<std::int64_t>("SELECT n FROM parent WHERE id = 'a'").value(), 100 + steps);
    EXPECT_EQ(restored->find<std::int64_t>("SELECT count(*) FROM parent").value(), 2002);
}

} // namespace
} // namespace flotilla::sqlite::connection_test
