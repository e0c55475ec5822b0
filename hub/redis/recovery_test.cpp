#include <gtest/gtest.h>

#include "hub/testing/engine_bench.hpp"
#include "hub/testing/full_disk.hpp"

namespace flotilla::hub::recovery_test {
namespace {

std::string state(EngineBench& redis) {
    return redis({"XRANGE", "s", "-", "+"}) + redis({"XINFO", "STREAM", "s", "FULL"}) +
           redis({"XINFO", "GROUPS", "s"}) + redis({"XPENDING", "s", "g", "-", "+", "1000"}) + redis({"TYPE", "t"});
}

void fill(EngineBench& redis) {
    redis({"XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"});
    redis({"XGROUP", "CREATE", "s", "h", "$"});
    for (int i = 1; i <= 230; ++i)
        redis({"XADD", "s", std::to_string(i) + "-" + std::to_string(i % 3), "n", std::to_string(i)});
    redis({"XREADGROUP", "GROUP", "g", "alice", "COUNT", "50", "STREAMS", "s", ">"});
    redis({"XREADGROUP", "GROUP", "g", "bob", "COUNT", "50", "STREAMS", "s", ">"});
    redis({"XREADGROUP", "GROUP", "h", "carol", "NOACK", "COUNT", "9", "STREAMS", "s", ">"});
    redis({"XADD", "t", "1-1", "n", "1"});
}

// Goal: everything that was committed is there again after a restart: entries, ids, groups, consumers, pending entries.
TEST(BusRecovery, CommittedStateSurvivesARestart) {
    EngineBench redis;
    fill(redis);
    redis({"XDEL", "s", "5-2", "230-2"});
    redis({"XTRIM", "s", "MINID", "4"});
    redis({"XACK", "s", "g", "10-1", "11-2", "60-0"});
    redis({"XCLAIM", "s", "g", "bob", "0", "20-2", "RETRYCOUNT", "9"});
    redis({"XGROUP", "DELCONSUMER", "s", "g", "nobody"});
    redis({"XSETID", "s", "1000-1", "ENTRIESADDED", "5000"});
    const std::string before = state(redis);
    redis.restart();
    EXPECT_EQ(state(redis), before);
    EXPECT_EQ(redis({"XADD", "s", "1000-*", "n", "x"}), "\"1000-2\"") << "ids go on where they were";
}

// Goal: what was removed stays removed: entries, consumers with their pending entries, groups, whole streams.
TEST(BusRecovery, RemovalsSurviveARestart) {
    EngineBench redis;
    fill(redis);
    redis.restart();
    redis({"XTRIM", "s", "MAXLEN", "3"});
    redis({"XGROUP", "DELCONSUMER", "s", "g", "alice"});
    redis({"XGROUP", "DESTROY", "s", "h"});
    redis({"DEL", "t"});
    const std::string before = state(redis);
    redis.restart();
    EXPECT_EQ(state(redis), before);
    EXPECT_EQ(redis({"XLEN", "s"}), ":3");
    EXPECT_EQ(redis({"TYPE", "t"}), "+none");
    redis({"SET", "s", "text"}); // overwriting drops the stream
    redis.restart();
    EXPECT_EQ(redis({"KEYS", "*"}), "[]") << "strings live in memory only";
}

// Goal: what was not committed is gone after a crash, and only that.
TEST(BusRecovery, UncommittedChangesAreGoneAfterACrash) {
    EngineBench redis;
    fill(redis);
    const std::string before = state(redis);
    ASSERT_TRUE(redis.engine->commit());
    redis({"XADD", "s", "*", "n", "lost"});
    redis({"XACK", "s", "g", "10-1"});
    redis({"XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", ">"});
    redis({"DEL", "t"});
    redis.restart(false);
    EXPECT_EQ(state(redis), before);
}

// Goal: bytes of every value come back exactly, in keys, names, fields and values.
TEST(BusRecovery, BinaryContentSurvivesExactly) {
    EngineBench redis;
    std::string bytes;
    for (int i = 0; i < 256; ++i)
        bytes += static_cast<char>(i);
    redis({"XADD", bytes, "1-1", bytes, bytes, "", ""});
    redis({"XGROUP", "CREATE", bytes, bytes, "0"});
    const std::string reply = redis({"XREADGROUP", "GROUP", bytes, bytes, "STREAMS", bytes, ">"});
    const std::string pending = redis({"XPENDING", bytes, bytes});
    redis.restart();
    EXPECT_EQ(redis({"XREADGROUP", "GROUP", bytes, bytes, "STREAMS", bytes, "0"}), reply);
    EXPECT_EQ(redis({"XPENDING", bytes, bytes}), pending);
}

// Goal: a stream's time to live survives; its expiry removes it for good.
TEST(BusRecovery, ExpiryOfStreamsSurvives) {
    EngineBench redis;
    redis({"XADD", "s", "1-1", "n", "1"});
    redis({"PEXPIRE", "s", "500"});
    redis.restart();
    EXPECT_EQ(redis({"PTTL", "s"}), ":500");
    redis.now_ms += 500;
    EXPECT_EQ(redis({"EXISTS", "s"}), ":0");
    redis.restart();
    EXPECT_EQ(redis({"EXISTS", "s"}), ":0");
}

// Goal: a stream whose every entry was removed still knows its last id and how many there were, across restarts.
TEST(BusRecovery, EmptiedStreamKeepsItsNumbers) {
    EngineBench redis;
    for (int i = 1; i <= 5; ++i)
        redis({"XADD", "s", std::to_string(i) + "-1", "n", "x"});
    redis.restart();
    redis({"XADD", "s", "6-1", "n", "x"});
    redis({"XDEL", "s", "6-1"});
    redis({"XADD", "s", "7-1", "MAXLEN", "0", "n", "x"});
    redis({"XADD", "s", "MAXLEN", "0", "8-1", "n", "x"});
    const std::string before = redis({"XINFO", "STREAM", "s"});
    redis.restart();
    EXPECT_EQ(redis({"XINFO", "STREAM", "s"}), before);
    EXPECT_EQ(redis({"XADD", "s", "8-*", "n", "x"}), "\"8-2\"");
    redis.restart();
    EXPECT_EQ(redis({"XRANGE", "s", "-", "+"}), R"([["8-2" ["n" "x"]]])");
}

// Goal: a stream that a string replaced in a failed turn is back for good, whatever time the string had to live.
TEST(BusRecovery, FailedCommitBringsReplacedStreamBack) {
    EngineBench bench;
    FullDisk disk(*bench.journal);
    Keyspace keyspace(disk);
    ASSERT_TRUE(keyspace.load());
    std::int64_t now_ms = 1'000'000;
    Engine engine(keyspace, [&] { return now_ms; });
    Session session;
    engine.connect(session);
    const auto run = [&](const Words& command) {
        const std::vector<std::string_view> arguments(command.begin(), command.end());
        engine.execute(session, arguments);
        return bench.take(session);
    };
    run({"XADD", "s", "1-1", "n", "kept"});
    ASSERT_TRUE(engine.commit());
    const auto used = keyspace.used_bytes();
    disk.full = true;
    run({"SET", "s", "text", "PX", "2000"});
    run({"XADD", "other", "1-1", "n", "lost"});
    ASSERT_FALSE(engine.commit());
    disk.full = false;
    EXPECT_EQ(keyspace.used_bytes(), used);
    now_ms += 3000;
    EXPECT_EQ(run({"XRANGE", "s", "-", "+"}), R"([["1-1" ["n" "kept"]]])");
    EXPECT_EQ(run({"TTL", "s"}), ":-1");
    EXPECT_EQ(run({"KEYS", "*"}), R"(["s"])");
    EXPECT_TRUE(engine.commit());
    engine.disconnect(session);
}

// Goal: while nothing can be written streams whose time has come stay, strings go, and neither makes a turn fail; a
// string does not replace a stream then. Afterwards the streams go.
TEST(BusRecovery, StreamsStayWhileWritesAreRefused) {
    EngineBench redis;
    constexpr auto kRefused = "-MISCONF Errors writing to the AOF file: disk full";
    redis({"XADD", "s", "1-1", "n", "x"});
    redis({"PEXPIRE", "s", "100"});
    redis({"SET", "lease", "x", "PX", "100"});
    ASSERT_TRUE(redis.engine->commit());
    redis.engine->refuse_writes("disk full");
    redis.now_ms += 200;
    EXPECT_EQ(redis({"XLEN", "s"}), ":1");
    EXPECT_EQ(redis({"PTTL", "s"}), ":0");
    EXPECT_EQ(redis({"EXISTS", "lease"}), ":0");
    EXPECT_EQ(redis({"SET", "s", "text"}), kRefused);
    EXPECT_EQ(redis({"SET", "s", "text", "NX"}), "nil");
    EXPECT_EQ(redis({"SET", "lease", "y"}), "+OK");
    redis({"MULTI"});
    redis({"SET", "s", "text"});
    EXPECT_EQ(redis({"EXEC"}), std::string("[") + kRefused + "]");
    EXPECT_FALSE(redis.keyspace->has_changes());
    redis.engine->refuse_writes("");
    EXPECT_EQ(redis({"EXISTS", "s"}), ":0");
    redis.restart();
    EXPECT_EQ(redis({"EXISTS", "s"}), ":0");
}

// Goal: after a failed commit memory is what the disk has, and the bus goes on when the disk is well again.
TEST(BusRecovery, FailedCommitLeavesWhatWasCommitted) {
    EngineBench bench;
    FullDisk disk(*bench.journal);
    Keyspace keyspace(disk);
    ASSERT_TRUE(keyspace.load());
    Engine engine(keyspace, [] { return 1'000'000; });
    Session session;
    engine.connect(session);
    const auto run = [&](const Words& command) {
        const std::vector<std::string_view> arguments(command.begin(), command.end());
        engine.execute(session, arguments);
        return bench.take(session);
    };
    run({"XADD", "s", "1-1", "n", "kept"});
    run({"SET", "text", "kept"});
    ASSERT_TRUE(engine.commit());
    disk.full = true;
    EXPECT_EQ(run({"XADD", "s", "2-1", "n", "lost"}), "\"2-1\"");
    run({"XGROUP", "CREATE", "s", "g", "0"});
    const auto failed = engine.commit();
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().code(), Engine::kMemoryLost);
    EXPECT_EQ(run({"XRANGE", "s", "-", "+"}), R"([["1-1" ["n" "kept"]]])");
    EXPECT_EQ(run({"XINFO", "GROUPS", "s"}), "[]");
    EXPECT_EQ(run({"GET", "text"}), "\"kept\"");
    engine.refuse_writes("database or disk is full");
    EXPECT_EQ(run({"XADD", "s", "3-1", "n", "x"}), "-MISCONF Errors writing to the AOF file: database or disk is full");
    engine.refuse_writes("");
    disk.full = false;
    EXPECT_EQ(run({"XADD", "s", "3-1", "n", "x"}), "\"3-1\"");
    EXPECT_TRUE(engine.commit());
    engine.disconnect(session);
}

} // namespace
} // namespace flotilla::hub::recovery_test
