#include <gtest/gtest.h>

#include "hub/testing/engine_bench.hpp"

namespace flotilla::hub::blocking_test {
namespace {

struct Client {
    EngineBench& bench;
    Session session;
    explicit Client(EngineBench& redis) : bench(redis) { bench.engine->connect(session); }
    ~Client() { bench.engine->disconnect(session); }
    std::string operator()(const Words& command) { return bench.run(session, command); }
    std::string heard() { return bench.take(session); }
    bool waits() const { return session.blocked != nullptr; }
};

// Goal: consumers of a group that wait are served first come first, one entry each; readers without a group all.
TEST(BlockingReads, XaddServesWaitersInOrder) {
    EngineBench redis;
    redis({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"});
    Client first(redis), second(redis), reader(redis);
    EXPECT_EQ(first({"XREADGROUP", "GROUP", "g", "one", "BLOCK", "0", "STREAMS", "s", ">"}), "");
    EXPECT_EQ(second({"XREADGROUP", "GROUP", "g", "two", "BLOCK", "0", "STREAMS", "s", ">"}), "");
    EXPECT_EQ(reader({"XREAD", "BLOCK", "0", "STREAMS", "s", "none", "$", "$"}), "");
    EXPECT_EQ(redis.engine->blocked_sessions(), 3u);
    redis({"XADD", "s", "1-1", "n", "1"});
    EXPECT_EQ(first.heard(), R"([["s" [["1-1" ["n" "1"]]]]])");
    EXPECT_EQ(reader.heard(), R"([["s" [["1-1" ["n" "1"]]]]])");
    EXPECT_TRUE(second.waits());
    redis({"XADD", "s", "2-1", "n", "2"});
    EXPECT_EQ(second.heard(), R"([["s" [["2-1" ["n" "2"]]]]])");
    EXPECT_EQ(redis({"XPENDING", "s", "g"}), R"([:2 "1-1" "2-1" [["one" "1"] ["two" "1"]]])");
    EXPECT_EQ(redis.engine->take_unblocked().size(), 3u);
    EXPECT_EQ(redis.engine->blocked_sessions(), 0u);
}

// Goal: a wait ends with a null reply when its time is over, and then nothing is delivered to it.
TEST(BlockingReads, TimeoutAnswersNull) {
    EngineBench redis;
    redis({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"});
    Client waiting(redis);
    EXPECT_EQ(waiting({"XREADGROUP", "GROUP", "g", "c", "BLOCK", "50", "STREAMS", "s", ">"}), "");
    EXPECT_EQ(waiting.session.blocked->until_ms, redis.now_ms + 50);
    redis.engine->time_out(waiting.session);
    EXPECT_EQ(waiting.heard(), "nil");
    redis({"XADD", "s", "1-1", "n", "1"});
    EXPECT_EQ(waiting.heard(), "");
    EXPECT_EQ(redis({"XPENDING", "s", "g"}), "[:0 nil nil nil]");
}

// Goal: a wait of more than a hundred years is one for ever, and no number of milliseconds ends at once.
TEST(BlockingReads, VeryLongWaitIsForEver) {
    EngineBench redis;
    for (const char* block : {"0", "9223372036854775", "9223372036854775807", "3155695200001"}) {
        Client waiting(redis);
        EXPECT_EQ(waiting({"XREAD", "BLOCK", block, "STREAMS", "s", "$"}), "") << block;
        EXPECT_EQ(waiting.session.blocked->until_ms, 0) << block;
    }
    Client waiting(redis);
    waiting({"XREAD", "BLOCK", "3155695200000", "STREAMS", "s", "$"});
    EXPECT_EQ(waiting.session.blocked->until_ms, redis.now_ms + 3155695200000);
}

// Goal: who waits on a group or stream that goes away is told, in Redis' words.
TEST(BlockingReads, VanishedGroupOrStreamEndsTheWait) {
    EngineBench redis;
    Client waiting(redis);
    const Words read{"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"};
    redis({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"});
    waiting(read);
    redis({"XGROUP", "DESTROY", "s", "g"});
    EXPECT_EQ(waiting.heard(), "-NOGROUP the consumer group this client was blocked on no longer exists");
    redis({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"});
    waiting(read);
    redis({"DEL", "s"});
    EXPECT_EQ(waiting.heard(), "-UNBLOCKED the stream key no longer exists");
    redis({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"});
    waiting(read);
    redis({"SET", "s", "text"});
    EXPECT_EQ(waiting.heard(), "-UNBLOCKED the stream key no longer exists");
}

// Goal: a read of more than a client may owe ends where that is passed: the rest is neither written nor delivered.
TEST(BlockingReads, ReadOfTooMuchEndsEarly) {
    EngineBench redis({}, {.output_bytes_max = 25'000});
    Words read{"XREADGROUP", "GROUP", "g", "c", "STREAMS"};
    for (int i = 1; i <= 9; ++i) {
        const std::string key = "s" + std::to_string(i);
        redis({"XADD", key, "1-1", "n", std::string(10'000, 'x')});
        redis({"XGROUP", "CREATE", key, "g", "0"});
        read.push_back(key);
    }
    read.insert(read.end(), 9, ">");
    Client greedy(redis);
    EXPECT_EQ(greedy(read), "");
    EXPECT_TRUE(greedy.session.overflowed);
    EXPECT_EQ(redis({"XPENDING", "s3", "g"}), R"([:1 "1-1" "1-1" [["c" "1"]]])");
    EXPECT_EQ(redis({"XPENDING", "s4", "g"}), "[:0 nil nil nil]");
}

// Goal: a client that goes away while it waits takes no entry with it.
TEST(BlockingReads, DisconnectedWaiterGetsNothing) {
    EngineBench redis;
    redis({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"});
    {
        Client gone(redis);
        gone({"XREADGROUP", "GROUP", "g", "gone", "BLOCK", "0", "STREAMS", "s", ">"});
    }
    redis({"XADD", "s", "1-1", "n", "1"});
    EXPECT_EQ(redis({"XPENDING", "s", "g"}), "[:0 nil nil nil]");
}

} // namespace
} // namespace flotilla::hub::blocking_test
