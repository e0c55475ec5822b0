#include <flotilla/store/table.hpp>

#include <flotilla/store/test_database.hpp>

namespace flotilla::table_test {
namespace {

using test::TestDatabase;
using test::value;

enum class Colour { red, dark_blue };

struct Car {
    std::string id, owner;
    Colour colour = Colour::red;
    std::vector<int> wheels;
    std::optional<Timestamp> sold_at;
};
struct Seat {
    std::string car_id;
    int number = 0;
    std::string name;
    std::int64_t version = 0;
};
struct Pair {
    std::string left, right;
};
struct Boat {
    std::string id;
    int crew = 0;
    bool operator==(const Boat&) const = default;
};

constexpr Table<Car> cars{"cars"};
constexpr Table<Seat> seats{"seats", {.key = {"car_id", "number"}, .version = "version"}};
constexpr Table<Versioned<Boat>> boats{"boats"};
constexpr Query<Car, std::string> cars_of{"FROM cars WHERE owner = $1 ORDER BY id"};
constexpr Query<std::int64_t> how_many{"SELECT count(*) FROM cars"};
constexpr Statement<std::string, Colour> paint{"UPDATE cars SET colour = $2 WHERE id = $1"};

// Goal: what the compiler writes is what one would write by hand.
TEST(Table, StatementsNameEachColumn) {
    EXPECT_EQ(cars.find(), "SELECT id, owner, colour, wheels, sold_at FROM cars WHERE id = $1");
    EXPECT_EQ(cars.insert(), "INSERT INTO cars (id, owner, colour, wheels, sold_at) VALUES ($1, $2, $3, $4, $5)");
    EXPECT_EQ(cars.try_insert(), std::string(cars.insert()) + " ON CONFLICT DO NOTHING");
    EXPECT_EQ(cars.update(), "UPDATE cars SET owner = $2, colour = $3, wheels = $4, sold_at = $5 WHERE id = $1");
    EXPECT_EQ(cars.remove(), "DELETE FROM cars WHERE id = $1");
    EXPECT_EQ(cars_of.sql(), "SELECT id, owner, colour, wheels, sold_at FROM cars WHERE owner = $1 ORDER BY id");
}

// Goal: keys of several fields, versions, and tables that are nothing but a key.
TEST(Table, KeyAndVersionAreWhatTheOptionsSay) {
    EXPECT_EQ(seats.find(), "SELECT car_id, number, name, version FROM seats WHERE car_id = $1 AND number = $2");
    EXPECT_EQ(seats.update(), "UPDATE seats SET name = $3, version = $4 + 1 WHERE car_id = $1 AND number = $2 AND "
                              "version = $4");
    static constexpr Table<Pair> pairs{"pairs", {.key = {"right", "left"}}};
    EXPECT_EQ(pairs.remove(), "DELETE FROM pairs WHERE right = $1 AND left = $2");
    EXPECT_EQ(pairs.update(), "");
}

// Goal: a table of more columns than have one digit still counts its parameters.
TEST(Table, ManyColumnsAreNumbered) {
    struct Wide {
        int a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0, j = 0, k = 0;
    };
    static constexpr Table<Wide> wide{"wide"};
    EXPECT_TRUE(wide.insert().ends_with("$8, $9, $10, $11)")) << wide.insert();
    EXPECT_TRUE(wide.update().ends_with("j = $10, k = $11 WHERE a = $1")) << wide.update();
}

// Goal: what compiles has as many parameters as arguments, numbered without gaps; quoted ones are text.
TEST(Table, ParametersAreCounted) {
    using detail::has_parameters;
    EXPECT_TRUE(has_parameters("SELECT 1", 0));
    EXPECT_TRUE(has_parameters("WHERE a = $2 AND b = $1 AND c = $2 AND d = '$3 it''s $4'", 2));
    EXPECT_TRUE(has_parameters("($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", 10));
    EXPECT_FALSE(has_parameters("WHERE a = $1", 0));
    EXPECT_FALSE(has_parameters("WHERE a = $1", 2));
    EXPECT_FALSE(has_parameters("WHERE a = $1 AND b = $3", 2));
    EXPECT_FALSE(has_parameters("WHERE a = $2", 1));
    EXPECT_FALSE(has_parameters("WHERE a = $0 AND b = $1", 1));
    EXPECT_FALSE(has_parameters("WHERE a = $ AND b = $1", 1));
    EXPECT_FALSE(has_parameters("WHERE a = $1000000", 1));
}

class TableTest : public testing::Test {
protected:
    void SetUp() override {
        value(store.execute("CREATE TABLE cars (id TEXT PRIMARY KEY, owner TEXT NOT NULL UNIQUE, colour TEXT NOT NULL, "
                            "wheels TEXT NOT NULL, sold_at BIGINT)"));
        value(store.execute("CREATE TABLE seats (car_id TEXT NOT NULL, number BIGINT NOT NULL, name TEXT NOT NULL, "
                            "version BIGINT NOT NULL, PRIMARY KEY (car_id, number))"));
        value(store.execute("CREATE TABLE boats (id TEXT PRIMARY KEY, crew BIGINT NOT NULL, version BIGINT NOT NULL)"));
    }
    void add(const Car& car) {
        value(store.transact([car](Transaction& tx) { tx.insert(cars, car); }));
    }
    template <class... Keys>
    std::optional<Car> find(Keys... keys) {
        Context context(store.world());
        return value(store.loop().run_until_done(store.database().find(context, cars, keys...)));
    }
    Result<void> check(std::initializer_list<Declared> declared) {
        std::vector<DeclaredStatement> statements;
        for (const auto& each : declared)
            each.list(statements);
        Context context(store.world());
        return store.loop().run_until_done(store.database().check(context, statements));
    }

    TestDatabase store;
};

// Goal: a row comes back as it went in, changed as a whole, and goes; in the transaction and beside it.
TEST_F(TableTest, RowLivesItsLife) {
    const Car car{.id = "c1", .owner = "ada", .colour = Colour::dark_blue, .wheels = {1, 2}, .sold_at = Timestamp(5)};
    add(car);
    const auto repainted = value(store.transact([](Transaction& tx) -> Result<std::string> {
        auto found = tx.find(cars, "c1");
        if (!found || tx.find(cars, "c2")) return Error(Kind::internal, "not what was inserted");
        found->colour = Colour::red;
        found->sold_at.reset();
        EXPECT_TRUE(tx.update(cars, *found));
        found->id = "c2";
        EXPECT_FALSE(tx.update(cars, *found));
        EXPECT_EQ(tx.select(cars_of, "ada").size(), 1U);
        EXPECT_EQ(tx.select(cars_of, "bob").size(), 0U);
        EXPECT_EQ(tx.find(how_many), 1);
        return std::string(enum_text(found->colour));
    }));
    EXPECT_EQ(repainted, "RED");
    const auto after = find("c1");
    ASSERT_TRUE(after);
    EXPECT_EQ(after->wheels, (std::vector{1, 2}));
    EXPECT_EQ(after->colour, Colour::red);
    EXPECT_EQ(after->sold_at, std::nullopt);
    EXPECT_EQ(value(store.transact([](Transaction& tx) { return tx.execute(paint, "c1", Colour::dark_blue); })), 1);
    EXPECT_EQ(find("c1")->colour, Colour::dark_blue);
    EXPECT_TRUE(value(store.transact([](Transaction& tx) { return tx.remove(cars, "c1"); })));
    EXPECT_FALSE(value(store.transact([](Transaction& tx) { return tx.remove(cars, "c1"); })));
    EXPECT_FALSE(find("c1"));
}

// Goal: the same queries serve the database itself.
TEST_F(TableTest, DatabaseReadsByTableAndQuery) {
    add({.id = "c1", .owner = "ada"});
    auto test = [&](Context& context) -> task<void> {
        EXPECT_EQ(value(co_await store.database().find(context, cars, std::string("c1")))->owner, "ada");
        EXPECT_EQ(value(co_await store.database().find(context, cars_of, "ada"))->id, "c1");
        EXPECT_EQ(value(co_await store.database().find(context, cars_of, "bob")).has_value(), false);
        EXPECT_EQ(value(co_await store.database().select(context, cars_of, "ada")).size(), 1U);
        EXPECT_EQ(value(co_await store.database().find(context, how_many)), 1);
    };
    store.run(test);
}

// Goal: an expected collision is an answer, whichever value collides, and the transaction goes on.
TEST_F(TableTest, TryInsertTellsWhetherItIsIn) {
    add({.id = "c1", .owner = "ada"});
    const auto inserted = value(store.transact([](Transaction& tx) -> Result<std::vector<int>> {
        std::vector<int> in;
        for (const auto& car :
             {Car{.id = "c1", .owner = "bob"}, Car{.id = "c2", .owner = "ada"}, Car{.id = "c2", .owner = "bob"}})
            in.push_back(tx.try_insert(cars, car));
        return in;
    }));
    EXPECT_EQ(inserted, (std::vector{0, 0, 1}));
    EXPECT_EQ(find("c1")->owner, "ada");
    EXPECT_EQ(find("c2")->owner, "bob");
}

// Goal: of two who read the same version only the faster one writes.
TEST_F(TableTest, UpdateWithOldVersionIsAConflict) {
    const Seat seat{.car_id = "c1", .number = 1, .name = "driver", .version = 7};
    value(store.transact([seat](Transaction& tx) { tx.insert(seats, seat); }));
    const auto rename = [&](std::string name, std::int64_t expected) {
        return store.transact([=](Transaction& tx) -> Result<std::int64_t> {
            auto changed = seat;
            changed.name = name;
            return tx.update(seats, changed, expected);
        });
    };
    EXPECT_EQ(value(rename("faster", 7)), 8);
    const auto slower = rename("slower", 7);
    ASSERT_FALSE(slower);
    EXPECT_EQ(slower.error().code(), "version_conflict");
    EXPECT_EQ(slower.error().kind(), Kind::conflict);
    EXPECT_EQ(value(rename("again", 8)), 9);
    const auto own = store.transact([seat](Transaction& tx) { return tx.update(seats, seat); }); // has 7
    ASSERT_FALSE(own);
    EXPECT_EQ(own.error().code(), "version_conflict");
    value(store.transact([](Transaction& tx) {
        const auto row = tx.find(seats, "c1", 1);
        EXPECT_TRUE(row && row->name == "again" && row->version == 9);
        if (row) tx.update(seats, *row);
    }));
    const auto gone = store.transact([](Transaction& tx) {
        tx.remove(seats, "c1", 1);
        return tx.update(seats, {.car_id = "c1", .number = 1}, 10);
    });
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code(), "version_conflict");
}

// Goal: a row with its version beside it is a table as any other, and its version is the one that updates expect.
TEST_F(TableTest, VersionedRowIsItsFieldsAndAVersion) {
    EXPECT_EQ(boats.find(), "SELECT id, crew, version FROM boats WHERE id = $1");
    EXPECT_EQ(boats.insert(), "INSERT INTO boats (id, crew, version) VALUES ($1, $2, $3)");
    EXPECT_EQ(boats.update(), "UPDATE boats SET crew = $2, version = $3 + 1 WHERE id = $1 AND version = $3");
    value(store.transact([](Transaction& tx) {
        tx.insert(boats, {{.id = "b1", .crew = 3}});
        EXPECT_EQ(tx.find(boats, "b1"), (Versioned<Boat>{{.id = "b1", .crew = 3}, 1}));
        EXPECT_TRUE(tx.update(boats, {{.id = "b1", .crew = 4}, 1}));
        EXPECT_EQ(tx.find(boats, "b1"), (Versioned<Boat>{{.id = "b1", .crew = 4}, 2}));
    }));
    const auto late = store.transact([](Transaction& tx) { return tx.update(boats, {{.id = "b1", .crew = 5}, 1}); });
    EXPECT_EQ(late.error().code(), "version_conflict");
}

// Goal: a change that a caller expects another version for changes nothing, in whichever way it is made.
TEST_F(TableTest, ChangeLooksAtTheExpectedVersion) {
    value(store.transact([](Transaction& tx) { tx.insert(boats, {{.id = "b1", .crew = 3}, 7}); }));
    const ExpectedVersion any, fitting({{.listed = {6, 7}}}, {}), other({{.listed = {8}}}, {}),
        not_that({}, {{.any = true}});
    const auto crew = [&](int to, ExpectedVersion expected) {
        return store.transact([=](Transaction& tx) -> Result<std::int64_t> {
            auto boat = *tx.find(boats, "b1");
            boat.value.crew = to;
            const auto now = tx.change(boats, boat, expected);
            EXPECT_EQ(now.value().crew, to);
            return now.version();
        });
    };
    for (const auto& expected : {other, not_that}) {
        EXPECT_EQ(crew(9, expected).error().code(), "precondition_failed");
        for (const bool gone : {false, true}) {
            const auto refused = store.transact([=](Transaction& tx) -> Result<std::int64_t> {
                tx.remove(boats, "b1");
                if (gone) return tx.removed(expected, 7).version();
                return tx.changed(expected, 7, Versioned<Boat>{{.id = "b1"}, 7}).version();
            });
            EXPECT_EQ(refused.error().code(), "precondition_failed");
        }
    }
    EXPECT_EQ(value(crew(4, any)), 8);
    EXPECT_EQ(crew(5, fitting).error().message(),
              "The resource is at version \"8\" now; read it again and decide anew");
    EXPECT_EQ(value(crew(5, other)), 9);
    EXPECT_EQ(value(store.find<int>("SELECT crew FROM boats")), 5);
    EXPECT_EQ(value(store.transact([&](Transaction& tx) -> Result<std::string> {
                  const Versioned<Boat> boat{{.id = "b1"}, 9};
                  return tx.changed(any, 9, boat).as([](const Boat& of) { return of.id; }).value();
              })),
              "b1");
}

// Goal: to expect a version where there is none is a bug that says so, and changes nothing.
TEST_F(TableTest, VersionOfATableWithoutIsRefused) {
    add({.id = "c1", .owner = "ada"});
    const auto refused =
        store.transact([](Transaction& tx) { return tx.update(cars, {.id = "c1", .owner = "bob"}, 1); });
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message().contains("without a version: UPDATE cars")) << refused.error().message();
    EXPECT_EQ(find("c1")->owner, "ada");
}

// Goal: a statement that fails ends the transaction: nothing after it happens, and the body's answer does not count.
TEST_F(TableTest, FailedStatementEndsTheTransaction) {
    add({.id = "c1", .owner = "ada"});
    std::atomic<int> signals = 0;
    const auto subscription = store.database().on_signal("cars", [&] { ++signals; });
    const auto after_failure = store.transact([](Transaction& tx) -> Result<std::string> {
        tx.insert(cars, {.id = "c2", .owner = "bob"});
        tx.signal("cars");
        tx.insert(cars, {.id = "c1", .owner = "eve"});
        EXPECT_TRUE(tx.failed());
        EXPECT_FALSE(tx.find(cars, "c2"));
        EXPECT_TRUE(tx.select(cars_of, "ada").empty());
        EXPECT_FALSE(tx.try_insert(cars, {.id = "c3", .owner = "fay"}));
        EXPECT_EQ(tx.execute(paint, "c2", Colour::red), 0);
        EXPECT_FALSE(tx.remove(cars, "c1"));
        return "fine";
    });
    ASSERT_FALSE(after_failure);
    EXPECT_EQ(after_failure.error().code(), "unique_violation");
    add({.id = "c9", .owner = "zoe"}); // its answer comes behind a signal of the one before
    EXPECT_EQ(signals, 0);
    EXPECT_EQ(value(store.select<std::string>("SELECT id FROM cars ORDER BY id")),
              (std::vector<std::string>{"c1", "c9"}));
}

// Goal: the engine's error is the outcome also when the body takes "no row" for the truth, or falls over it.
TEST_F(TableTest, EnginesErrorComesBeforeTheBodys) {
    value(store.execute("DROP TABLE cars"));
    const auto not_found = store.transact([](Transaction& tx) -> Result<Car> {
        auto found = tx.find(cars, "c1");
        if (!found) return Error(Kind::not_found, "car_not_found", "no such car");
        return std::move(*found);
    });
    ASSERT_FALSE(not_found);
    EXPECT_EQ(not_found.error().kind(), Kind::internal) << not_found.error().code();
    EXPECT_TRUE(not_found.error().message().contains("no such table")) << not_found.error().message();
    const auto thrown = store.transact([](Transaction& tx) { return tx.find(cars, "c1").value(); });
    ASSERT_FALSE(thrown);
    EXPECT_EQ(thrown.error(), not_found.error());
}

// Goal: SQL as text ends the transaction as well, whether the body looks or not.
TEST_F(TableTest, FailedTextEndsTheTransaction) {
    const auto swallowed = store.transact([](Transaction& tx) -> Result<int> {
        tx.insert(cars, {.id = "c1", .owner = "ada"});
        std::ignore = tx.execute("INSERT INTO nowhere VALUES (1)");
        return 1;
    });
    ASSERT_FALSE(swallowed);
    EXPECT_TRUE(swallowed.error().message().contains("nowhere")) << swallowed.error().message();
    EXPECT_FALSE(find("c1"));
}

// Goal: code that cannot go on ends the transaction with an error of its own; the first one counts.
TEST_F(TableTest, FailEndsTheTransactionWithThatError) {
    const auto failed = store.transact([](Transaction& tx) -> Result<int> {
        tx.insert(cars, {.id = "c1", .owner = "ada"});
        tx.fail(Error(Kind::too_large, "too_many_cars", "one is enough"));
        tx.fail(Error(Kind::internal, "later", "of no interest"));
        return Error(Kind::invalid, "body", "of no interest");
    });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), "too_many_cars");
    EXPECT_FALSE(find("c1"));
}

// Goal: a query for one row that gives two is a bug, not a choice.
TEST_F(TableTest, FindOfSeveralRowsEndsTheTransaction) {
    static constexpr Query<std::string> any{"SELECT id FROM cars"};
    add({.id = "c1", .owner = "ada"});
    add({.id = "c2", .owner = "bob"});
    const auto several = store.transact([](Transaction& tx) { return tx.find(any).value_or("none"); });
    ASSERT_FALSE(several);
    EXPECT_TRUE(several.error().message().contains("gave several")) << several.error().message();
}

// Goal: a statement that does not fit its tables is found before it runs, by file and line.
TEST_F(TableTest, CheckNamesTheStatementThatDoesNotFit) {
    static constexpr Query<Car> wrong_column{"FROM cars WHERE wings = 2"};
    static constexpr Query<Car, std::string> too_few{"SELECT id, owner FROM cars WHERE id = $1"};
    static constexpr Query<Pair> too_many{"SELECT id AS left, owner AS right, colour FROM cars"};
    static constexpr Query<Pair> twice{"SELECT id AS left, owner AS right, colour AS right FROM cars"};
    static constexpr Query<int> two_columns{"SELECT id, owner FROM cars"};
    static constexpr Statement<> gives_rows{"DELETE FROM cars RETURNING id"};
    static constexpr Table<Pair> nowhere{"nowhere"};
    EXPECT_TRUE(check({cars, seats, cars_of, how_many, paint}));
    const auto line = [](const auto& declared) {
        std::vector<DeclaredStatement> statements;
        declared.list(statements);
        return "table_test.cpp:" + std::to_string(statements.front().where.line()) + ": ";
    };
    const auto expect = [&](const auto& declared, std::string_view why) {
        const auto checked = check({cars, declared});
        ASSERT_FALSE(checked) << why;
        EXPECT_TRUE(checked.error().message().contains(line(declared))) << checked.error().message();
        EXPECT_TRUE(checked.error().message().contains(why)) << checked.error().message();
    };
    expect(wrong_column, "no such column: wings");
    expect(too_few, "no column for the field colour");
    expect(too_many, "no field for the column colour");
    expect(twice, "a column appears twice");
    expect(two_columns, "expected one column, found 2");
    expect(gives_rows, "it gives rows, so it is a Query");
    expect(nowhere, "no such table: nowhere");
}

} // namespace
} // namespace flotilla::table_test
