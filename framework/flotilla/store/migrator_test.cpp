#include <flotilla/store/migrator.hpp>

#include <flotilla/store/backfill.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::migrator_test {
namespace {

using test::TestDatabase;
using test::value;

constexpr Migration kOne{1, "0001_create",
                         "CREATE TABLE things (id TEXT PRIMARY KEY);\nINSERT INTO things VALUES ('seed;');\n"};
constexpr Migration kTwo{2, "0002_add_note", "ALTER TABLE things ADD COLUMN note TEXT;"};

Result<void> apply(TestDatabase& store, std::vector<Migration> migrations) {
    return store.migrate("service", migrations);
}

// Goal: what is missing is applied, in order, once.
TEST(Migrate, ApplyAgainDoesOnlyWhatIsMissing) {
    const test::TemporaryFolder folder;
    {
        TestDatabase store(folder.url("a.db"));
        value(apply(store, {kOne}));
        value(apply(store, {kOne}));
        EXPECT_EQ(value(store.select<std::string>("SELECT id FROM things")), (std::vector<std::string>{"seed;"}));
    }
    TestDatabase store(folder.url("a.db"));
    value(apply(store, {kOne, kTwo}));
    value(apply(store, {kOne, kTwo}));
    EXPECT_EQ(value(store.select<std::int64_t>("SELECT version FROM flotilla_migrations ORDER BY version")),
              (std::vector<std::int64_t>{1, 2}));
    value(store.execute("UPDATE things SET note = 'x'"));
}

// Goal: components count their versions apart.
TEST(Migrate, ApplyTwoComponentsKeepsThemApart) {
    TestDatabase store;
    value(apply(store, {kOne}));
    store.create_framework_tables();
    store.create_framework_tables();
    EXPECT_EQ(value(store.select<std::string>("SELECT DISTINCT component FROM flotilla_migrations ORDER BY component")),
              (std::vector<std::string>{"flotilla", "service"}));
}

// Goal: a migration that was applied may not change.
TEST(Migrate, ChangeAppliedTextIsRefused) {
    TestDatabase store;
    value(apply(store, {kOne}));
    const auto changed =
        apply(store, {{1, "0001_create", "CREATE TABLE things (id TEXT PRIMARY KEY, colour TEXT);"}, kTwo});
    ASSERT_FALSE(changed);
    EXPECT_EQ(
        changed.error(),
        Error(Kind::internal,
              "migration 0001_create of service: has changed since it was applied; put it back and write a new one"));
}

// Goal: versions have no gaps, and a program does not run on a database newer than itself.
TEST(Migrate, LeaveGapOrMissingMigrationIsRefused) {
    TestDatabase store;
    EXPECT_EQ(apply(store, {kOne, {3, "0003_late", "SELECT 1;"}}).error().message(),
              "migration 0003_late of service: has version 3, expected 2: versions are 1, 2, 3, ... without gaps");
    value(apply(store, {kOne, kTwo}));
    EXPECT_EQ(apply(store, {kOne}).error().message(), "migration 0002_add_note of service: was applied, but this "
                                                      "program does not have it; it is older than its database");
}

// Goal: a migration that fails leaves nothing, not even its earlier statements, and is named.
TEST(Migrate, FailInTheMiddleLeavesNothing) {
    TestDatabase store;
    const auto failed =
        apply(store, {kOne, {2, "0002_broken", "CREATE TABLE others (id TEXT);\nINSERT INTO nowhere VALUES (1);"}});
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message().find("0002_broken"), std::string::npos);
    EXPECT_NE(failed.error().message().find("INSERT INTO nowhere"), std::string::npos);
    EXPECT_FALSE(store.select<std::string>("SELECT id FROM things"));
    EXPECT_FALSE(store.select<std::string>("SELECT id FROM others"));
    value(apply(store, {kOne, kTwo}));
}

// Goal: a migration cannot end the transaction it runs in.
TEST(Migrate, CommitInMigrationIsRefused) {
    TestDatabase store;
    EXPECT_FALSE(apply(store, {{1, "0001_commit", "CREATE TABLE a (id TEXT);\nCOMMIT;"}}));
    EXPECT_FALSE(store.select<std::string>("SELECT id FROM a"));
}

/// Sets note to the row's own id, two rows at a time; a row "odd" is left.
Result<BackfillStep> fill_notes(Transaction& transaction, const std::string& after) {
    static constexpr Query<std::string, std::string> next{"SELECT id FROM things WHERE id > $1 ORDER BY id LIMIT 2"};
    static constexpr Statement<std::string> fill{"UPDATE things SET note = $1 WHERE id = $1"};
    const auto ids = transaction.select(next, after);
    BackfillStep step;
    if (ids.size() == 2) step.next = ids.back();
    for (const auto& id : ids) {
        if (id == "odd") {
            step.left.push_back("thing odd is odd");
            continue;
        }
        step.changed += transaction.execute(fill, id);
    }
    if (after == "c") return Error(Kind::internal, "nobody may come behind c");
    return step;
}
constexpr Backfill kFill{1, "fill_notes", fill_notes};

struct Filling {
    TestDatabase store;
    std::string logged;

    Filling() {
        value(apply(store, {kOne, kTwo}));
        value(store.execute("DELETE FROM things"));
    }
    Result<void> run(std::vector<Backfill> backfills) {
        const Logger log("test", LogLevel::info, Logger::Format::json,
                         [this](std::string_view line) { logged.append(line); });
        Context context(store.world());
        return store.loop().run_until_done(run_backfills(context, store.database(), "service", backfills, log));
    }
};

// Goal: a backfill sees every row once, in bounded transactions, says what it left, and is done for good.
TEST(Backfill, EveryRowIsFilledOnce) {
    Filling filling;
    value(filling.store.execute("INSERT INTO things (id) VALUES ('a'), ('b'), ('e'), ('odd'), ('z')"));
    value(filling.run({kFill}));
    EXPECT_EQ(value(filling.store.select<std::string>("SELECT note FROM things WHERE note IS NOT NULL ORDER BY id")),
              (std::vector<std::string>{"a", "b", "e", "z"}));
    EXPECT_TRUE(filling.logged.contains("thing odd is odd")) << filling.logged;
    EXPECT_TRUE(filling.logged.contains(R"("changed":4,"left":1)")) << filling.logged;
    value(filling.store.execute("UPDATE things SET note = 'kept'"));
    value(filling.run({kFill}));
    EXPECT_EQ(value(filling.store.select<std::string>("SELECT DISTINCT note FROM things")),
              (std::vector<std::string>{"kept"}));
}

// Goal: one that fails is named, keeps what its earlier steps did, and begins anew the next time.
TEST(Backfill, FailureIsNamedAndRunAgain) {
    Filling filling;
    value(filling.store.execute("INSERT INTO things (id) VALUES ('a'), ('c'), ('d')"));
    const auto failed = filling.run({kFill});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message(), "backfill fill_notes: nobody may come behind c");
    EXPECT_EQ(value(filling.store.select<std::string>("SELECT note FROM things WHERE note IS NOT NULL ORDER BY id")),
              (std::vector<std::string>{"a", "c"}));
    value(filling.store.execute("DELETE FROM things WHERE id = 'c'"));
    value(filling.run({kFill}));
    EXPECT_EQ(value(filling.store.select<std::string>("SELECT note FROM things ORDER BY id")),
              (std::vector<std::string>{"a", "d"}));
}

// Goal: a program that is older than its database does not run on it.
TEST(Backfill, UnknownOneIsRefused) {
    Filling filling;
    value(filling.run({kFill}));
    EXPECT_EQ(filling.run({}).error().message(),
              "backfill 1 of service was run, but this program does not have it; it is older than its database");
}

} // namespace
} // namespace flotilla::migrator_test
