// What bodies that fail leave of the commit they share: nothing of theirs, everything of the others'.
#include <algorithm>
#include <optional>

#include <flotilla/store/test_database.hpp>

namespace flotilla::undo_test {
namespace {

using test::Gate;
using test::TestDatabase;
using test::value;

const Error kNotToday(Kind::conflict, "not_today", "not today");

/// Bodies that go into one transaction, each counting how often it runs.
class UndoTest : public testing::Test {
protected:
    using Body = std::function<Result<std::int64_t>(Transaction&)>;
    struct Ran {
        std::string code; ///< of its error; empty: it succeeded
        int times = 0;
        bool operator==(const Ran&) const = default;
    };

    void SetUp() override { start_anew(); }

    /// A database whose writer has not met a failure yet: it runs bodies bare.
    void start_anew() {
        store_.emplace("sqlite::memory:");
        value(store_->execute("CREATE TABLE things (id TEXT PRIMARY KEY)"));
    }

    static Result<std::int64_t> insert(Transaction& tx, std::string_view id) {
        return tx.execute("INSERT INTO things (id) VALUES ($1)", id);
    }
    static Body inserting(std::string id) {
        return [id = std::move(id)](Transaction& tx) { return insert(tx, id); };
    }
    static Body failing_after(Body first) {
        return [first = std::move(first)](Transaction& tx) -> Result<std::int64_t> {
            if (auto done = first(tx); !done) return done;
            return kNotToday;
        };
    }

    std::vector<Ran> run_together(std::vector<Body> bodies) {
        std::vector<Ran> ran(bodies.size());
        auto test = [&](Context& context) -> task<void> {
            Gate gate; // holds the writer until all of them wait
            Scope scope(context);
            scope.spawn(note(store_->database().transact(scope.context(), gate.body())));
            gate.await_entered();
            for (std::size_t i = 0; i < bodies.size(); ++i)
                scope.spawn(note(scope.context(), std::move(bodies[i]), ran[i]));
            gate.open();
            co_await scope.join();
        };
        store_->run(test);
        return ran;
    }
    std::vector<std::string> ids() { return value(store_->select<std::string>("SELECT id FROM things ORDER BY id")); }
    bool has_table(const std::string& name) {
        return !value(store_->select<std::string>("SELECT name FROM sqlite_schema WHERE name = '" + name + "'"))
                    .empty();
    }

    std::optional<TestDatabase> store_;

private:
    static task<void> note(task<Result<int>> gated) { value(co_await std::move(gated)); }
    task<void> note(Context& context, Body body, Ran& into) {
        auto done = co_await store_->database().transact(context, [&into, body](Transaction& tx) {
            ++into.times;
            return body(tx);
        });
        if (!done) into.code = done.error().code();
    }
};

// Goal: a body that fails before it wrote anything costs the others nothing.
TEST_F(UndoTest, FailBeforeWritingRunsEachBodyOnce) {
    value(store_->execute("INSERT INTO things VALUES ('taken')"));
    const auto ran = run_together({
        inserting("a"),
        [](Transaction&) -> Result<std::int64_t> { return kNotToday; },
        inserting("taken"), // a statement that fails takes its own changes back
        [](Transaction& tx) -> Result<std::int64_t> {
            if (auto none = tx.execute("UPDATE things SET id = 'x' WHERE id = 'nobody'"); !none) return none;
            return kNotToday;
        },
        inserting("b"),
    });
    EXPECT_EQ(ran, (std::vector<Ran>{{"", 1}, {"not_today", 1}, {"unique_violation", 1}, {"not_today", 1}, {"", 1}}));
    EXPECT_EQ(ids(), (std::vector<std::string>{"a", "b", "taken"}));
}

// Goal: a body that fails after it wrote is taken back, with nothing of the others lost; they run again, and from then
// on for a while nobody does.
TEST_F(UndoTest, FailAfterWritingRunsTheOthersAgain) {
    EXPECT_EQ(run_together({inserting("a"), failing_after(inserting("x")), inserting("b")}),
              (std::vector<Ran>{{"", 2}, {"not_today", 2}, {"", 1}}));
    EXPECT_EQ(ids(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(run_together({inserting("c"), failing_after(inserting("x")), inserting("d")}),
              (std::vector<Ran>{{"", 1}, {"not_today", 1}, {"", 1}}));
    EXPECT_EQ(ids(), (std::vector<std::string>{"a", "b", "c", "d"}));
}

// Goal: where nobody else has written there is nothing to run again.
TEST_F(UndoTest, FailAsTheFirstThatWroteRunsOnce) {
    const auto count = [](Transaction& tx) -> Result<std::int64_t> {
        auto counted = tx.find<std::int64_t>("SELECT count(*) FROM things");
        if (!counted) return std::move(counted.error());
        return counted->value();
    };
    const auto before = store_->statistics();
    EXPECT_EQ(run_together({count, failing_after(inserting("x")), inserting("a")}),
              (std::vector<Ran>{{"", 1}, {"not_today", 1}, {"", 1}}));
    EXPECT_EQ(ids(), (std::vector<std::string>{"a"}));
    EXPECT_EQ(store_->statistics().bodies, before.bodies + 4) << "each body counts once, the gate's too";
}

// Goal: what is no row is taken back as well, though no changed row tells of it.
TEST_F(UndoTest, FailAfterChangingTheSchemaTakesItBack) {
    const auto creating = [](Transaction& tx) { return tx.execute("CREATE TABLE extra (id TEXT PRIMARY KEY)"); };
    EXPECT_EQ(run_together({inserting("a"), failing_after(creating), inserting("b")}).at(1).code, "not_today");
    EXPECT_FALSE(has_table("extra"));
    EXPECT_EQ(ids(), (std::vector<std::string>{"a", "b"}));
    start_anew();
    EXPECT_EQ(run_together({creating, failing_after(inserting("x")), inserting("a")}),
              (std::vector<Ran>{{"", 2}, {"not_today", 2}, {"", 1}}));
    EXPECT_TRUE(has_table("extra"));
    EXPECT_EQ(ids(), (std::vector<std::string>{"a"}));
}

// Goal: a statement that fails in its second row leaves nothing of the first, though SQLite counts no change.
TEST_F(UndoTest, FailWithinAStatementTakesItsFirstRowsBack) {
    value(store_->execute("CREATE TABLE accounts (id TEXT PRIMARY KEY, total BIGINT)"));
    value(store_->execute("CREATE TABLE entries (account TEXT, amount BIGINT)"));
    value(store_->execute("INSERT INTO accounts VALUES ('a', 0), ('b', 0)"));
    value(store_->execute("INSERT INTO entries VALUES ('a', 5), ('b', 9223372036854775807), ('b', 1)"));
    const auto summing = [](Transaction& tx) {
        return tx.execute("UPDATE accounts SET total = (SELECT sum(amount) FROM entries WHERE account = accounts.id)");
    };
    EXPECT_EQ(run_together({inserting("x"), summing, inserting("y")}),
              (std::vector<Ran>{{"", 2}, {"internal", 2}, {"", 1}}));
    EXPECT_EQ(value(store_->select<std::int64_t>("SELECT total FROM accounts ORDER BY id")),
              (std::vector<std::int64_t>{0, 0}));
    EXPECT_EQ(ids(), (std::vector<std::string>{"x", "y"}));
}

// Goal: whatever fails wherever, the outcome is that of running one body after the other, each by itself.
TEST_F(UndoTest, RandomFailuresLeaveWhatSucceeded) {
    std::uint64_t state = 20261125;
    int repeated = 0;
    const auto random = [&state](std::uint64_t below) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (state >> 33U) % below;
    };
    for (int round = 0; round < 100; ++round) {
        start_anew();
        std::vector<std::string> expected;
        std::vector<Body> bodies;
        std::vector<std::string> codes;
        const auto count = 1 + random(12);
        for (std::size_t i = 0; i < count; ++i) {
            auto id = std::to_string(round) + "-" + std::to_string(i);
            const auto kind = random(round % 2 == 0 ? 4 : 24); // every other round mostly succeeds
            if (kind == 0) bodies.push_back(failing_after(inserting(id)));
            if (kind == 1) bodies.push_back([](Transaction&) -> Result<std::int64_t> { return kNotToday; });
            if (kind == 2) {
                bodies.push_back([id](Transaction& tx) -> Result<std::int64_t> {
                    if (auto done = insert(tx, id); !done) return done;
                    throw std::runtime_error("a bug");
                });
            }
            if (kind > 2) {
                expected.push_back(id);
                bodies.push_back(inserting(std::move(id)));
            }
            codes.emplace_back(kind > 2 ? "" : kind == 2 ? "internal" : "not_today");
        }
        const auto ran = run_together(std::move(bodies));
        for (std::size_t i = 0; i < ran.size(); ++i) {
            EXPECT_EQ(ran[i].code, codes[i]) << round << "-" << i;
            EXPECT_GE(ran[i].times, 1);
            EXPECT_LE(ran[i].times, 2);
            repeated += ran[i].times - 1;
        }
        std::ranges::sort(expected);
        EXPECT_EQ(ids(), expected) << round;
    }
    EXPECT_GT(repeated, 100) << "hardly any transaction was taken back";
}

} // namespace
} // namespace flotilla::undo_test
