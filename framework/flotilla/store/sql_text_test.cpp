#include <flotilla/store/sql_text.hpp>

#include <gtest/gtest.h>

namespace flotilla::sql::sql_text_test {
namespace {

// Goal: parameters are translated where they are parameters and nowhere else.
TEST(SqlText, TranslateParametersLeavesQuotedTextAndComments) {
    EXPECT_EQ(for_sqlite("SELECT $1, $12 FROM t WHERE a = $1"), "SELECT ?1, ?12 FROM t WHERE a = ?1");
    EXPECT_EQ(for_sqlite("SELECT '$1', 'it''s $2', $3"), "SELECT '$1', 'it''s $2', ?3");
    EXPECT_EQ(for_sqlite("SELECT \"$1\" -- costs $2\n, $3 /* $4 */"), "SELECT \"$1\" -- costs $2\n, ?3 /* $4 */");
    EXPECT_EQ(for_sqlite("SELECT '5$', $"), "SELECT '5$', $");
    EXPECT_EQ(for_sqlite("SELECT 'unclosed $1"), "SELECT 'unclosed $1");
}

// Goal: a whole number that is a table's key becomes SQLite's own key; nothing else changes its type.
TEST(SqlText, TranslateKeysOfTablesOnly) {
    EXPECT_EQ(for_sqlite("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)"),
              "CREATE TABLE t (id INTEGER PRIMARY KEY, n BIGINT)");
    EXPECT_EQ(for_sqlite("-- t\ncreate table t (\n  id bigint\n NOT  null primary\tkey)"),
              "-- t\ncreate table t (\n  id INTEGER\n NOT  null primary\tkey)");
    for (const auto* unchanged :
         {"CREATE TABLE t (a BIGINT NOT NULL, b BIGINT, PRIMARY KEY (a, b))", "CREATE TABLE t (BIGINT_ BIGINT)",
          "CREATE TABLE t (a TEXT DEFAULT ' BIGINT PRIMARY KEY' PRIMARY KEY)", "CREATE TABLE t (a BIGINT NOT",
          "SELECT a BIGINT PRIMARY KEY", "CREATE TABLE t (a BIGINT UNIQUE, b TEXT PRIMARY KEY)",
          "CREATE TABLE t (a BIGINT", "CREATE TABLE t ( BIGINT PRIMARY KEY)",
          "CREATE TABLE t (a,\n BIGINT PRIMARY KEY)"})
        EXPECT_EQ(for_sqlite(unchanged), unchanged);
}

// Goal: a script falls into its statements at `;` that ends a line, not at others.
TEST(SqlText, SplitScriptCutsAtLineEndsOnly) {
    const auto statements =
        split_statements("-- a table\nCREATE TABLE a (x TEXT);\n\nINSERT INTO a VALUES ('one;\ntwo'); -- done\n"
                         "INSERT INTO a VALUES (';') ;  \n;\n/* end; */\nSELECT 1");
    ASSERT_EQ(statements.size(), 4U);
    EXPECT_EQ(statements[0], "CREATE TABLE a (x TEXT);");
    EXPECT_EQ(statements[1], "INSERT INTO a VALUES ('one;\ntwo');");
    EXPECT_EQ(statements[2], "INSERT INTO a VALUES (';') ;");
    EXPECT_EQ(statements[3], "SELECT 1");
    EXPECT_TRUE(split_statements(" \n-- nothing\n;\n").empty());
}

// Goal: a body cannot end the transaction it shares with others.
TEST(SqlText, CheckAllowedRefusesTransactionControl) {
    for (const auto* refused : {"COMMIT", "  rollback;", "-- x\nBEGIN", "/* x */ Savepoint a", "RELEASE a",
                                "PRAGMA user_version = 1", "VACUUM", "ATTACH 'x' AS y", "DETACH y", "END"}) {
        EXPECT_FALSE(check_allowed(refused)) << refused;
    }
    for (const auto* allowed : {"SELECT 1", "INSERT INTO commits VALUES (1)", "", "(SELECT 1)"})
        EXPECT_TRUE(check_allowed(allowed)) << allowed;
}

// Goal: error messages stay on one line and bounded.
TEST(SqlText, ShortenLongStatementCutsIt) {
    EXPECT_EQ(shortened("  SELECT\n    a,\tb  FROM t"), "SELECT a, b FROM t");
    EXPECT_EQ(shortened("SELECT abc", 6), "SELECT...");
}

} // namespace
} // namespace flotilla::sql::sql_text_test
