#include <flotilla/store/sql_value.hpp>

#include <flotilla/base/constrained.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::sql_value_test {
namespace {

using test::TestDatabase;

enum class Colour { red, light_blue };
struct Size {
    int width;
    int height;
    bool operator==(const Size&) const = default;
};
struct Everything {
    bool flag;
    std::int32_t small;
    std::int64_t large;
    double real;
    std::string text;
    Money price;
    Timestamp at;
    Colour colour;
    Bounded<int, 1, 10> rating;
    Text<1, 5> code;
    Size size;
    std::vector<std::string> tags;
    std::optional<std::string> note;
    std::optional<Money> discount;
};

constexpr std::string_view kCreate =
    "CREATE TABLE everything (flag BOOLEAN, small INTEGER, large BIGINT, real DOUBLE PRECISION, text TEXT, "
    "price BIGINT, at BIGINT, colour TEXT, rating INTEGER, code TEXT, size TEXT, tags TEXT, note TEXT, "
    "discount BIGINT)";
constexpr std::string_view kInsert =
    "INSERT INTO everything VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";

// Goal: every kind of value comes back from the database as it went in.
TEST(SqlValue, WriteEveryKindReadsBackEqual) {
    TestDatabase store;
    const Everything in{.flag = true,
                        .small = -7,
                        .large = std::numeric_limits<std::int64_t>::min(),
                        .real = 0.1,
                        .text = "it's a $1 \"ü\"",
                        .price = Money::from_cents(1999),
                        .at = Timestamp(1'700'000'000'123'456),
                        .colour = Colour::light_blue,
                        .rating = 10,
                        .code = "ab",
                        .size = {3, 4},
                        .tags = {"x", "y z"},
                        .note = std::nullopt,
                        .discount = Money::from_cents(-5)};
    test::value(store.transact([in](Transaction& tx) -> Result<std::int64_t> {
        if (auto created = tx.execute(kCreate); !created) return created;
        return tx.execute(kInsert, in.flag, in.small, in.large, in.real, in.text, in.price, in.at, in.colour, in.rating,
                          in.code, in.size, in.tags, in.note, in.discount);
    }));

    const auto out = test::value(store.find<Everything>("SELECT * FROM everything"));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->flag, in.flag);
    EXPECT_EQ(out->small, in.small);
    EXPECT_EQ(out->large, in.large);
    EXPECT_EQ(out->real, in.real);
    EXPECT_EQ(out->text, in.text);
    EXPECT_EQ(out->price, in.price);
    EXPECT_EQ(out->at, in.at);
    EXPECT_EQ(out->colour, in.colour);
    EXPECT_EQ(out->rating, in.rating);
    EXPECT_EQ(out->code, in.code);
    EXPECT_EQ(out->size, in.size);
    EXPECT_EQ(out->tags, in.tags);
    EXPECT_EQ(out->note, in.note);
    EXPECT_EQ(out->discount, in.discount);
}

// Goal: the stored forms are the documented ones, which other tools read.
TEST(SqlValue, WriteTypedValueStoresDocumentedForm) {
    TestDatabase store;
    const auto stored = test::value(store.transact([](Transaction& tx) {
        return tx.find<std::string>("SELECT $1 || ' ' || $2 || ' ' || $3 || ' ' || $4 || ' ' || $5",
                                    Money::from_cents(250), Timestamp(7), Colour::light_blue, Size{1, 2}, true);
    }));
    EXPECT_EQ(stored, R"(250 7 LIGHT_BLUE {"width":1,"height":2} 1)");
}

struct Pair {
    std::int32_t a;
    std::string b;
};
struct Narrow {
    std::int8_t a;
};
struct Rated {
    Bounded<int, 1, 10> a;
};
struct Coded {
    Text<2, 3> a;
};
struct Coloured {
    Colour a;
};
struct Sized {
    Size a;
};
struct Flagged {
    bool a;
};
struct Measured {
    double a;
};

template <class T>
std::string failure(TestDatabase& store, std::string sql) {
    auto outcome = store.transact([sql](Transaction& tx) { return tx.select<T>(sql); });
    if (outcome) return "no error";
    EXPECT_EQ(outcome.error().kind(), Kind::internal);
    return outcome.error().message();
}

// Goal: rows that do not fit their struct are refused with the column's name, never read as zeros.
TEST(SqlRow, DecodeUnfitRowNamesTheColumn) {
    TestDatabase store;
    EXPECT_EQ(failure<Pair>(store, "SELECT 1 AS a"), "no column for field b of Pair");
    EXPECT_EQ(failure<Pair>(store, "SELECT 1 AS a, 'x' AS b, 2 AS c"), "column c: no such field in Pair");
    EXPECT_EQ(failure<Pair>(store, "SELECT 1 AS a, 'x' AS b, 2 AS a"), "column a: appears twice");
    EXPECT_EQ(failure<Pair>(store, "SELECT NULL AS a, 'x' AS b"), "column a: NULL for a field that is not optional");
    EXPECT_EQ(failure<Pair>(store, "SELECT 'one' AS a, 'x' AS b"), "column a: expected an integer, found text");
    EXPECT_EQ(failure<Pair>(store, "SELECT 1 AS a, 2 AS b"), "column b: expected text, found an integer");
    EXPECT_EQ(failure<Pair>(store, "SELECT 4294967296 AS a, 'x' AS b"), "column a: 4294967296 does not fit the field");
    EXPECT_EQ(failure<Narrow>(store, "SELECT -129 AS a"), "column a: -129 does not fit the field");
    EXPECT_EQ(failure<Rated>(store, "SELECT 11 AS a"), "column a: 11 does not fit the field");
    EXPECT_EQ(failure<Coded>(store, "SELECT 'x' AS a"), "column a: a text of 1 characters does not fit the field");
    EXPECT_EQ(failure<Coloured>(store, "SELECT 'PINK' AS a"), "column a: PINK is no value of Colour");
    EXPECT_EQ(failure<Flagged>(store, "SELECT 2 AS a"), "column a: expected 0 or 1, found 2");
    EXPECT_EQ(failure<Measured>(store, "SELECT 'x' AS a"), "column a: expected a real number, found text");
    EXPECT_TRUE(failure<Sized>(store, "SELECT '{\"width\":1}' AS a").starts_with("column a: "));
    EXPECT_EQ(failure<std::string>(store, "SELECT 'x', 'y'"), "expected one column, found 2");
}

// Goal: columns are found by name in any order, and whole numbers are real numbers too.
TEST(SqlRow, DecodeReorderedColumnsFindsThemByName) {
    TestDatabase store;
    const auto pair = test::value(store.find<Pair>("SELECT 'x' AS b, 5 AS a"));
    ASSERT_TRUE(pair);
    EXPECT_EQ(pair->a, 5);
    EXPECT_EQ(pair->b, "x");
    EXPECT_EQ(test::value(store.find<Measured>("SELECT 2 AS a"))->a, 2.0);
    EXPECT_EQ(test::value(store.select<std::int64_t>("SELECT 1 UNION ALL SELECT 2")),
              (std::vector<std::int64_t>{1, 2}));
}

} // namespace
} // namespace flotilla::sql_value_test
