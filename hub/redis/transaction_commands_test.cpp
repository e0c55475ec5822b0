#include <gtest/gtest.h>

#include "hub/testing/bus_server.hpp"
#include "hub/testing/engine_bench.hpp"

namespace flotilla::hub::transaction_commands_test {
namespace {

/// A bench with a second client.
struct TwoClients : EngineBench {
    explicit TwoClients(EngineLimits limits = {}) : EngineBench({}, limits) { engine->connect(other_session); }
    ~TwoClients() { engine->disconnect(other_session); }
    std::string other(const Words& command) { return run(other_session, command); }

    Session other_session;
};

// Goal: what is queued runs at EXEC, all of it, whatever fails among it; nothing of it runs before.
TEST(TransactionCommands, ExecRunsWhatWasQueued) {
    TwoClients redis;
    EXPECT_EQ(redis({"MULTI"}), "+OK");
    EXPECT_EQ(redis({"SET", "n", "1"}), "+QUEUED");
    EXPECT_EQ(redis({"XADD", "n", "1-1", "a", "b"}), "+QUEUED");
    EXPECT_EQ(redis({"INCR", "n"}), "+QUEUED");
    EXPECT_EQ(redis.other({"GET", "n"}), "nil");
    EXPECT_NE(redis.other({"CLIENT", "LIST"}).find("flags=x db=0 sub=0 psub=0 multi=3"), std::string::npos);
    EXPECT_EQ(redis({"EXEC"}), "[+OK -WRONGTYPE Operation against a key holding the wrong kind of value :2]");
    EXPECT_EQ(redis.other({"GET", "n"}), "\"2\"");
    EXPECT_EQ(redis({"EXEC"}), "-ERR EXEC without MULTI");
    EXPECT_EQ(redis({"MULTI"}) + redis({"EXEC"}), "+OK[]");
    redis({"MULTI"});
    redis({"SET", "gone", "1", "PXAT", "1"}); // its time is over at once
    redis({"GET", "gone"});
    EXPECT_EQ(redis({"EXEC"}), "[+OK nil]");
}

// Goal: a command that could not be queued, and one that is refused when its turn comes, let nothing run.
TEST(TransactionCommands, RefusedCommandAbortsAll) {
    TwoClients redis;
    redis({"MULTI"});
    redis({"SET", "n", "1"});
    EXPECT_EQ(redis({"NONSENSE"}), "-ERR unknown command 'NONSENSE', with args beginning with: ");
    EXPECT_EQ(redis({"EXEC"}), "-EXECABORT Transaction discarded because of previous errors.");
    redis({"MULTI"});
    redis({"XADD", "s", "1-1", "a", "b"});
    redis.engine->refuse_writes("No space left on device");
    EXPECT_EQ(redis({"EXEC"}),
              "-EXECABORT Transaction discarded because of: MISCONF Errors writing to the AOF file: No "
              "space left on device");
    redis.engine->refuse_writes("");
    EXPECT_EQ(redis({"KEYS", "*"}), "[]");
    redis({"MULTI"});
    EXPECT_EQ(redis({"EXEC", "x"}),
              "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command");
    EXPECT_EQ(redis({"DISCARD"}), "-ERR DISCARD without MULTI");
}

// Goal: a change of a watched key by anybody, its expiry too, lets nothing run; a group's doings are no change.
TEST(TransactionCommands, WatchedKeyThatChangesStopsExec) {
    TwoClients redis;
    redis({"XADD", "s", "1-1", "a", "b"});
    redis({"XGROUP", "CREATE", "s", "g", "0"});
    const auto stopped_by = [&](const Words& change) {
        redis({"WATCH", "s", "none", "lease"});
        redis.other(change);
        redis({"MULTI"});
        redis({"SET", "done", "1"});
        return redis({"EXEC"}) == "nil";
    };
    EXPECT_TRUE(stopped_by({"XADD", "s", "2-1", "a", "b"}));
    EXPECT_TRUE(stopped_by({"XTRIM", "s", "MAXLEN", "1"}));
    EXPECT_TRUE(stopped_by({"SET", "none", "1"}));
    EXPECT_TRUE(stopped_by({"DEL", "none"}));
    EXPECT_TRUE(stopped_by({"EXPIRE", "s", "100"}));
    EXPECT_EQ(redis({"EXISTS", "done"}), ":0");
    EXPECT_FALSE(stopped_by({"XREADGROUP", "GROUP", "g", "ada", "STREAMS", "s", ">"}));
    EXPECT_FALSE(stopped_by({"XTRIM", "s", "MAXLEN", "100"}));
    EXPECT_FALSE(stopped_by({"SET", "another", "1"}));
    redis({"SET", "lease", "me", "PX", "10"});
    redis({"WATCH", "lease"});
    redis.now_ms += 11;
    redis({"MULTI"});
    EXPECT_EQ(redis({"EXEC"}), "nil");
}

// Goal: UNWATCH, DISCARD, EXEC and RESET end the watching.
TEST(TransactionCommands, WatchingEnds) {
    TwoClients redis;
    for (const std::vector<Words>& end :
         {std::vector<Words>{{"UNWATCH"}}, {{"MULTI"}, {"DISCARD"}}, {{"MULTI"}, {"EXEC"}}, {{"RESET"}}}) {
        redis({"WATCH", "n"});
        for (const auto& command : end)
            redis(command);
        redis.other({"INCR", "n"});
        redis({"MULTI"});
        EXPECT_EQ(redis({"EXEC"}), "[]") << end.front().front();
    }
}

// Goal: nothing waits inside a transaction, and who waits outside gets what it wrote once it is over.
TEST(TransactionCommands, BlockingReadsDoNotWait) {
    TwoClients redis;
    redis.other({"XREAD", "BLOCK", "0", "STREAMS", "s", "$"});
    redis({"MULTI"});
    redis({"XREAD", "BLOCK", "0", "STREAMS", "none", "$"});
    redis({"XADD", "s", "1-1", "a", "b"});
    redis({"XADD", "s", "1-2", "a", "b"});
    EXPECT_EQ(redis({"EXEC"}), R"([nil "1-1" "1-2"])");
    EXPECT_EQ(redis.take(redis.other_session), R"([["s" [["1-1" ["a" "b"]] ["1-2" ["a" "b"]]]]])");
}

// Goal: what waits for EXEC, and what is watched, is bounded over all clients, and given back.
TEST(TransactionCommands, QueuedBytesAreBounded) {
    TwoClients redis({.transaction_bytes_max = 9'000, .all_transactions_bytes_max = 10'000});
    for (int round = 0; round < 3; ++round) {
        redis.other({"MULTI"});
        EXPECT_EQ(redis.other({"SET", "n", std::string(8000, 'x')}), "+QUEUED");
        redis({"MULTI"});
        EXPECT_EQ(redis({"SET", "n", std::string(8000, 'x')}),
                  "-OOM command not allowed when used memory > 'maxmemory'.");
        EXPECT_EQ(redis({"EXEC"}).substr(0, 10), "-EXECABORT");
        EXPECT_EQ(redis({"WATCH", "a", std::string(4000, 'k')}),
                  "-OOM command not allowed when used memory > 'maxmemory'.");
        EXPECT_TRUE(redis.session.transaction.watched.empty());
        if (round == 0) EXPECT_EQ(redis.other({"DISCARD"}), "+OK");
        if (round == 1) EXPECT_EQ(redis.other({"EXEC"}), "[+OK]");
        if (round == 2) redis.engine->leave(redis.other_session);
        for (int again = 0; again < 3; ++again) // what is watched already costs nothing
            EXPECT_EQ(redis({"WATCH", std::string(4000, 'k')}), "+OK");
        EXPECT_EQ(redis({"UNWATCH"}), "+OK");
    }
    redis({"MULTI"});
    EXPECT_EQ(redis({"SET", "n", std::string(9'000, 'x')}), "-OOM command not allowed when used memory > 'maxmemory'.")
        << "no client may have it all";
}

// Goal: replies beyond a client's bound end the client, not the transaction.
TEST(TransactionCommands, OverflowingRepliesEndTheClientOnly) {
    TwoClients redis({.output_bytes_max = 1000});
    redis({"SET", "n", std::string(800, 'x')});
    redis({"MULTI"});
    redis({"GET", "n"});
    redis({"GET", "n"});
    redis({"SET", "done", "1"});
    redis({"EXEC"});
    EXPECT_TRUE(redis.session.overflowed);
    EXPECT_EQ(redis.other({"GET", "done"}), "\"1\"");
}

} // namespace
} // namespace flotilla::hub::transaction_commands_test
