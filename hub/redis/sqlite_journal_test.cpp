#include "hub/redis/sqlite_journal.hpp"

#include <filesystem>
#include <fstream>
#include <random>
#include <regex>

#include <gtest/gtest.h>

#include "hub/testing/engine_bench.hpp"

namespace flotilla::hub::sqlite_journal_test {
namespace {

/// Entries and numbers of a stream, but not how many blocks they fill: a restart packs them anew.
std::string state(EngineBench& redis, const std::string& key = "s") {
    static const std::regex blocks(R"re("radix-tree-(keys|nodes)" :\d+ ?)re");
    return redis({"XRANGE", key, "-", "+"}) +
           std::regex_replace(redis({"XINFO", "STREAM", key, "FULL", "COUNT", "1"}), blocks, "");
}

/// Adds 1-0, 2-0, ... in one commit, hence in as few rows as they fit.
void add(EngineBench& redis, int from, int to, const std::string& key = "s") {
    for (int i = from; i <= to; ++i)
        redis({"XADD", key, std::to_string(i) + "-0", "n", std::to_string(i)});
    ASSERT_TRUE(redis.engine->commit());
}

void expect_same_after_restart(EngineBench& redis, const std::string& key = "s") {
    const std::string before = state(redis, key);
    redis.restart();
    EXPECT_EQ(state(redis, key), before);
}

/// A question to the closed file.
std::int64_t number_in_file(EngineBench& redis, std::string_view sql) {
    EXPECT_TRUE(redis.engine->commit());
    redis.engine->disconnect(redis.session);
    redis.engine.reset();
    redis.keyspace.reset();
    redis.journal.reset();
    std::int64_t number = -1;
    {
        auto file = sqlite::Connection::open((redis.folder / "bus.db").string());
        if (!file) throw std::runtime_error(file.error().message());
        const auto read = (*file)->run(sql, {}, [&](const SqlRow& row) -> Result<void> {
            number = row.integer(0);
            return {};
        });
        EXPECT_TRUE(read);
    }
    redis.open();
    return number;
}

// Goal: the entries of a turn share rows, whatever the order of the streams they go to.
TEST(SqliteJournal, EntriesOfATurnShareRows) {
    EngineBench redis;
    for (int i = 1; i <= 100; ++i) {
        for (int stream = 0; stream < 5; ++stream)
            redis({"XADD", "s" + std::to_string(stream), std::to_string(i) + "-0", "n", "x"});
    }
    EXPECT_EQ(number_in_file(redis, "SELECT count(*) FROM entries"), 10) << "64 and 36 of each stream";
    for (int stream = 0; stream < 5; ++stream)
        EXPECT_EQ(redis({"XLEN", "s" + std::to_string(stream)}), ":100");
}

// Goal: more streams in one turn than gather at a time are all kept.
TEST(SqliteJournal, ManyStreamsInOneTurnAreKept) {
    EngineBench redis;
    for (int i = 1; i <= 3; ++i) {
        for (int stream = 0; stream < 50; ++stream)
            redis({"XADD", "s" + std::to_string(stream), std::to_string(i) + "-0", "n", std::to_string(stream)});
    }
    for (int stream = 0; stream < 50; ++stream)
        expect_same_after_restart(redis, "s" + std::to_string(stream));
}

// Goal: a trim that cuts a row takes its older entries only, also when nothing is left and the stream goes on.
TEST(SqliteJournal, TrimInsideARowSurvives) {
    EngineBench redis;
    add(redis, 1, 100);
    redis({"XTRIM", "s", "MAXLEN", "30"});
    expect_same_after_restart(redis);
    redis({"XTRIM", "s", "MINID", "99"});
    expect_same_after_restart(redis);
    EXPECT_EQ(number_in_file(redis, "SELECT count(*) FROM entries"), 1) << "rows below the cut have gone";
    redis({"XTRIM", "s", "MAXLEN", "0"});
    redis.restart();
    add(redis, 101, 103);
    expect_same_after_restart(redis);
    EXPECT_EQ(redis({"XLEN", "s"}), ":3");
    EXPECT_EQ(number_in_file(redis, "SELECT count(*) FROM entries"), 1);
}

// Goal: entries that are added and trimmed in the same turn, again and again, leave what memory has.
TEST(SqliteJournal, AddingWithMaxlenSurvives) {
    EngineBench redis;
    for (int i = 1; i <= 300; ++i) {
        redis({"XADD", "s", "MAXLEN", "7", std::to_string(i) + "-0", "n", std::to_string(i)});
        if (i % 40 == 0) {
            ASSERT_TRUE(redis.engine->commit());
        }
    }
    expect_same_after_restart(redis);
    EXPECT_EQ(redis({"XLEN", "s"}), ":7");
    EXPECT_LE(number_in_file(redis, "SELECT count(*) FROM entries"), 3);
}

// Goal: XDEL takes single entries out of a row, first, last and in the middle; the row goes with its last entry.
TEST(SqliteJournal, XdelInsideARowSurvives) {
    EngineBench redis;
    add(redis, 1, 10);
    redis({"XDEL", "s", "1-0", "5-0", "10-0"});
    expect_same_after_restart(redis);
    EXPECT_EQ(redis({"XLEN", "s"}), ":7");
    add(redis, 11, 12); // the removed last entry's position names the row and must not be taken
    redis({"XDEL", "s", "12-0"});
    expect_same_after_restart(redis);
    for (const char* id : {"2-0", "3-0", "4-0", "6-0", "7-0", "8-0", "9-0"})
        EXPECT_EQ(redis({"XDEL", "s", id}), ":1");
    expect_same_after_restart(redis);
    EXPECT_EQ(redis({"XRANGE", "s", "-", "+"}), R"([["11-0" ["n" "11"]]])");
    EXPECT_EQ(number_in_file(redis, "SELECT count(*) FROM entries"), 1);
}

// Goal: adding, removing, trimming and dropping in one turn give what memory has, and a row is never half there.
TEST(SqliteJournal, EverythingInOneTurnSurvives) {
    EngineBench redis;
    add(redis, 1, 20);
    for (int i = 21; i <= 30; ++i)
        redis({"XADD", "s", std::to_string(i) + "-0", "n", "x"});
    redis({"XDEL", "s", "25-0", "3-0"});
    redis({"XADD", "s", "31-0", "n", "x"});
    redis({"XTRIM", "s", "MAXLEN", "8"});
    redis({"XADD", "gone", "1-0", "n", "x"});
    redis({"DEL", "gone"});
    redis({"XADD", "gone", "2-0", "n", "again"});
    expect_same_after_restart(redis);
    EXPECT_EQ(redis({"XRANGE", "gone", "-", "+"}), R"([["2-0" ["n" "again"]]])");
    const std::string before = state(redis);
    redis({"XTRIM", "s", "MAXLEN", "1"});
    redis({"XDEL", "s", "31-0"});
    redis({"XADD", "s", "40-0", "n", "lost"});
    redis.restart(false);
    EXPECT_EQ(state(redis), before) << "nothing of a turn without its commit";
}

/// One random change. Ids are given by the stream, so that they always grow.
void change_something(EngineBench& redis, std::mt19937_64& random) {
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    const std::string key = "k" + std::to_string(below(3));
    switch (below(12)) {
    case 0:
        redis({"XTRIM", key, "MAXLEN", std::to_string(below(60))});
        break;
    case 1:
        redis({"XADD", key, "MAXLEN", std::to_string(below(90)), "*", "n", "trimming"});
        break;
    case 2:
    case 3: {
        const std::string side = below(2) == 0 ? "XRANGE" : "XREVRANGE";
        const std::string reply = redis({side, key, side == "XRANGE" ? "-" : "+", side == "XRANGE" ? "+" : "-", "COUNT",
                                         std::to_string(1 + below(5))});
        const auto at = reply.rfind("[\"1");
        if (at != std::string::npos) redis({"XDEL", key, reply.substr(at + 2, reply.find('"', at + 2) - at - 2)});
        break;
    }
    case 4:
        if (below(8) == 0) redis({"DEL", key});
        break;
    default:
        for (std::uint64_t i = below(40); i > 0; --i)
            redis({"XADD", key, "*", "n", std::string(below(10) == 0 ? 6000 : below(40), 'x')});
    }
    redis.now_ms += static_cast<std::int64_t>(below(3));
}

// Goal: whatever was done to streams, a restart has exactly what was committed, and a crash what the last commit had.
TEST(SqliteJournal, RandomChangesSurviveRestartsAndCrashes) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        EngineBench redis;
        const auto all = [&] { return state(redis, "k0") + state(redis, "k1") + state(redis, "k2"); };
        for (int turn = 0; turn < 150; ++turn) {
            for (std::uint64_t i = random() % 4; i > 0; --i)
                change_something(redis, random);
            ASSERT_TRUE(redis.engine->commit());
            if (random() % 5 != 0) continue;
            const std::string committed = all();
            const bool crash = random() % 2 == 0;
            if (crash) change_something(redis, random);
            redis.restart(!crash);
            ASSERT_EQ(all(), committed) << "turn " << turn;
        }
    }
}

constexpr const char* kVersion1 = R"sql(
CREATE TABLE streams (
    id BIGINT PRIMARY KEY, stream_key BLOB NOT NULL UNIQUE, last_id BLOB NOT NULL, max_deleted_id BLOB NOT NULL,
    entries_added BIGINT NOT NULL, expires_ms BIGINT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    place INTEGER PRIMARY KEY, id BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE consumer_groups (
    id BIGINT PRIMARY KEY, stream BIGINT NOT NULL, name BLOB NOT NULL, last_id BLOB NOT NULL,
    entries_read BIGINT NOT NULL) WITHOUT ROWID;
CREATE INDEX consumer_groups_by_stream ON consumer_groups (stream);
CREATE TABLE consumers (
    consumer_group BIGINT NOT NULL, id BIGINT NOT NULL, name BLOB NOT NULL, seen_ms BIGINT NOT NULL,
    PRIMARY KEY (consumer_group, id)) WITHOUT ROWID;
CREATE TABLE pending (
    consumer_group BIGINT NOT NULL, id BLOB NOT NULL, consumer BIGINT NOT NULL, delivered_ms BIGINT NOT NULL,
    deliveries BIGINT NOT NULL, PRIMARY KEY (consumer_group, id)) WITHOUT ROWID;
INSERT INTO streams VALUES (3, 's', zeroblob(16), zeroblob(16), 0, 0);
INSERT INTO entries VALUES ((3 << 40) | 2, x'00000000000000050000000000000000', '*2' || x'0d0a' || '$1' || x'0d0a' || 'n' || x'0d0a' || '$1' || x'0d0a' || '5' || x'0d0a');
INSERT INTO entries VALUES ((3 << 40) | 3, x'00000000000000060000000000000001', '*2' || x'0d0a' || '$1' || x'0d0a' || 'n' || x'0d0a' || '$1' || x'0d0a' || '6' || x'0d0a');
INSERT INTO consumer_groups VALUES (4, 3, 'g', x'00000000000000050000000000000000', 1);
INSERT INTO consumers VALUES (4, 5, 'alice', 900000);
INSERT INTO pending VALUES (4, x'00000000000000050000000000000000', 5, 900000, 2);
PRAGMA user_version = 1;
)sql";

// Goal: a file of version 1, one entry in a row, is taken over as it is and goes on with batches.
TEST(SqliteJournal, FileOfVersion1IsUpgraded) {
    EngineBench redis([](const std::filesystem::path& file) {
        auto old = sqlite::Connection::open(file.string());
        if (!old || !(*old)->script(kVersion1)) throw std::runtime_error("cannot write the old file");
    });
    EXPECT_EQ(redis({"XRANGE", "s", "-", "+"}), R"([["5-0" ["n" "5"]] ["6-1" ["n" "6"]]])");
    EXPECT_EQ(redis({"XPENDING", "s", "g", "-", "+", "9"}), R"([["5-0" "alice" :100000 :2]])");
    add(redis, 7, 20);
    redis({"XDEL", "s", "5-0"});
    expect_same_after_restart(redis);
    redis({"XTRIM", "s", "MAXLEN", "3"});
    expect_same_after_restart(redis);
    EXPECT_EQ(redis({"XLEN", "s"}), ":3");
    EXPECT_EQ(number_in_file(redis, "SELECT user_version FROM pragma_user_version"), 2);
}

// Goal: a file that a newer version wrote is refused, not guessed at.
TEST(SqliteJournal, FileOfANewerVersionIsRefused) {
    const TemporaryFolder folder;
    {
        auto newer = sqlite::Connection::open((folder / "bus.db").string());
        ASSERT_TRUE(newer && (*newer)->script("PRAGMA user_version = 3"));
    }
    const auto opened = SqliteJournal::open(folder / "bus.db");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind(), Kind::internal);
    EXPECT_NE(opened.error().message().find("newer version"), std::string::npos);
}

// Goal: a damaged file is refused at start with an error that says so, whatever its rows refer to.
TEST(SqliteJournal, DamagedFileIsRefused) {
    const char* const damages[] = {
        "DELETE FROM streams",
        "DELETE FROM streams; DELETE FROM entries",
        "DELETE FROM consumer_groups",
        "DELETE FROM consumers",
        "UPDATE streams SET last_id = x'00'",
        "UPDATE consumer_groups SET last_id = x'00'",
        "UPDATE pending SET id = x'00'",
        "UPDATE entries SET place = place - (20 << 40)",
        "UPDATE streams SET id = -id; UPDATE consumer_groups SET stream = -stream; DELETE FROM entries",
        "UPDATE streams SET id = 1 << 23; UPDATE entries SET place = 1 << 63"};
    for (const char* damage : damages) {
        SCOPED_TRACE(damage);
        EngineBench redis;
        redis({"XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"});
        add(redis, 1, 3);
        redis({"XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "s", ">"});
        ASSERT_TRUE(redis.engine->commit());
        redis.engine->disconnect(redis.session);
        redis.engine.reset();
        redis.keyspace.reset();
        redis.journal.reset();
        {
            auto file = sqlite::Connection::open((redis.folder / "bus.db").string());
            ASSERT_TRUE(file && (*file)->script(damage));
        }
        auto journal = SqliteJournal::open(redis.folder / "bus.db");
        ASSERT_TRUE(journal);
        Keyspace keyspace(**journal);
        const auto loaded = keyspace.load();
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().kind(), Kind::internal);
        EXPECT_NE(loaded.error().message().find("damaged"), std::string::npos) << loaded.error().message();
    }
}

// Goal: streams can be made and dropped for ever: numbers that no stream uses any more are given again.
TEST(SqliteJournal, StreamNumbersAreGivenAgain) {
    EngineBench redis(KeyspaceLimits{.streams_max = 4});
    redis({"XADD", "kept", "1-0", "n", "kept"});
    for (int i = 1; i <= 20; ++i) {
        add(redis, 1, 3, "s" + std::to_string(i));
        EXPECT_EQ(redis({"DEL", "s" + std::to_string(i)}), ":1");
        if (i % 7 == 0) redis.restart();
    }
    add(redis, 5, 6, "s");
    expect_same_after_restart(redis);
    EXPECT_EQ(redis({"XRANGE", "kept", "-", "+"}), R"([["1-0" ["n" "kept"]]])");
    EXPECT_LE(number_in_file(redis, "SELECT max(id) FROM streams"), 4);
}

// Goal: a number whose stream came back with a failed turn is not given to another one.
TEST(SqliteJournal, NumberOfARestoredStreamIsNotGivenAgain) {
    EngineBench redis(KeyspaceLimits{.streams_max = 3});
    for (const char* key : {"a", "b", "c"})
        redis({"XADD", key, "1-0", "n", key});
    redis({"DEL", "c"});
    ASSERT_TRUE(redis.engine->commit());
    redis({"DEL", "b"});
    redis({"XADD", "d", "1-0", "n", "d"}); // collects the numbers of b and c, takes one
    redis.journal->abandon();
    ASSERT_TRUE(redis.keyspace->load());
    EXPECT_EQ(redis({"XADD", "e", "1-0", "n", "e"}), "\"1-0\"");
    for (const char* key : {"a", "b", "e"})
        expect_same_after_restart(redis, key);
    EXPECT_EQ(redis({"XRANGE", "b", "-", "+"}), R"([["1-0" ["n" "b"]]])");
}

// Goal: as many streams as there are numbers: a further one is refused, in a transaction too, until one goes.
TEST(SqliteJournal, OneStreamTooManyIsRefused) {
    EngineBench redis(KeyspaceLimits{.streams_max = 2});
    constexpr auto kRefused = "-OOM command not allowed when used memory > 'maxmemory'.";
    redis({"XADD", "a", "1-0", "n", "x"});
    redis({"MULTI"});
    redis({"XADD", "b", "1-0", "n", "x"});
    redis({"XADD", "c", "1-0", "n", "x"});
    redis({"XGROUP", "CREATE", "d", "g", "0", "MKSTREAM"});
    EXPECT_EQ(redis({"EXEC"}), std::string("[\"1-0\" ") + kRefused + " " + kRefused + "]");
    EXPECT_EQ(redis({"XADD", "c", "1-0", "n", "x"}), kRefused);
    redis({"DEL", "b"});
    EXPECT_EQ(redis({"XADD", "c", "1-0", "n", "x"}), "\"1-0\"");
    expect_same_after_restart(redis, "c");
}

// Goal: the trial write of a well disk succeeds and changes nothing.
TEST(SqliteJournal, ProbeChangesNothing) {
    EngineBench redis;
    add(redis, 1, 3);
    EXPECT_TRUE(redis.journal->probe());
    EXPECT_FALSE(redis.journal->has_changes());
    add(redis, 4, 5);
    expect_same_after_restart(redis);
    EXPECT_EQ(number_in_file(redis, "SELECT user_version FROM pragma_user_version"), 2);
}

// Goal: a second bus on the same file is refused.
TEST(SqliteJournal, FileBelongsToOne) {
    EngineBench redis;
    redis({"XADD", "s", "*", "n", "1"});
    ASSERT_TRUE(redis.engine->commit());
    auto second = sqlite::Connection::open((redis.folder / "bus.db").string(), {.busy_timeout = Duration::zero()});
    EXPECT_FALSE(second && (*second)->begin());
}

// Goal: the write-ahead log is written over once it has reached its size: it does not grow with what passes through.
TEST(SqliteJournal, WriteAheadLogKeepsItsSize) {
    EngineBench redis;
    const std::string value(8'000, 'x');
    for (int i = 0; i < 6'000; ++i) { // 48 MB
        redis({"XADD", "s", "MAXLEN", "10", "*", "n", value});
        if (i % 20 != 0) continue;
        ASSERT_TRUE(redis.engine->commit());
        ASSERT_TRUE(redis.keyspace->tidy());
    }
    EXPECT_LT(std::filesystem::file_size(redis.folder / "bus.db-wal"), 12'000'000u);
    expect_same_after_restart(redis);
}

// Goal: a bus that has ended lies in its file alone; one whose file is damaged says so for good, and does not take the
// first page, which can still be written, for a well disk.
TEST(SqliteJournal, DamageIsToldForGood) {
    EngineBench redis;
    for (int i = 0; i < 60; ++i)
        redis({"XADD", "s", "*", "n", std::string(64 * 1024, 'x')});
    ASSERT_TRUE(redis.engine->commit());
    redis.restart();
    EXPECT_EQ(number_in_file(redis, "SELECT count(*) > 0 FROM entries"), 1);
    const auto file = redis.folder / "bus.db";
    EXPECT_GT(std::filesystem::file_size(file), 3'000'000u);
    EXPECT_TRUE(redis.journal->health());
    {
        std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
        damaged.seekp(16384);
        damaged << std::string(std::filesystem::file_size(file) - 16384, '\xA5');
    }
    redis({"DEL", "s"});
    EXPECT_FALSE(redis.engine->commit());
    ASSERT_FALSE(redis.journal->health());
    EXPECT_EQ(redis.journal->health().error().code(), sqlite::FileDamage::kCode);
    EXPECT_NE(redis.journal->health().error().message().find("bus.db"), std::string::npos);
    EXPECT_FALSE(redis.journal->probe());
}

} // namespace
} // namespace flotilla::hub::sqlite_journal_test
