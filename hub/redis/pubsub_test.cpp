#include <gtest/gtest.h>

#include "hub/testing/engine_bench.hpp"

namespace flotilla::hub::pubsub_test {
namespace {

/// Another client of the bench.
struct Client {
    EngineBench& bench;
    Session session;
    explicit Client(EngineBench& redis) : bench(redis) { bench.engine->connect(session); }
    ~Client() { bench.engine->disconnect(session); }
    std::string operator()(const Words& command) { return bench.run(session, command); }
    std::string heard() { return bench.take(session); }
};

// Goal: every subscriber of a channel and of a matching pattern hears a message, others do not.
TEST(PubSub, PublishReachesChannelsAndPatterns) {
    EngineBench redis;
    Client one(redis), two(redis), three(redis);
    EXPECT_EQ(one({"SUBSCRIBE", "user.created", "order.created"}),
              R"(["subscribe" "user.created" :1] ["subscribe" "order.created" :2])");
    EXPECT_EQ(two({"PSUBSCRIBE", "user.*"}), R"(["psubscribe" "user.*" :1])");
    EXPECT_EQ(three({"SUBSCRIBE", "other"}), R"(["subscribe" "other" :1])");
    EXPECT_EQ(redis({"PUBLISH", "user.created", "hi"}), ":2");
    EXPECT_EQ(one.heard(), R"(["message" "user.created" "hi"])");
    EXPECT_EQ(two.heard(), R"(["pmessage" "user.*" "user.created" "hi"])");
    EXPECT_EQ(three.heard(), "");
    EXPECT_EQ(redis({"PUBSUB", "CHANNELS", "*r.created"}), R"(["order.created" "user.created"])");
    EXPECT_EQ(redis({"PUBSUB", "NUMSUB", "user.created", "none"}), R"(["user.created" :1 "none" :0])");
    EXPECT_EQ(redis({"PUBSUB", "NUMPAT"}), ":1");
    EXPECT_EQ(one({"UNSUBSCRIBE", "user.created"}), R"(["unsubscribe" "user.created" :1])");
    EXPECT_EQ(redis({"PUBLISH", "user.created", "again"}), ":1");
    EXPECT_EQ(one({"UNSUBSCRIBE"}), R"(["unsubscribe" "order.created" :0])");
    EXPECT_EQ(one({"UNSUBSCRIBE"}), R"(["unsubscribe" nil :0])");
}

// Goal: a RESP2 subscriber may only do what Redis allows it, a RESP3 one gets pushes and may do everything.
TEST(PubSub, ProtocolVersionsDiffer) {
    EngineBench redis;
    Client old(redis), modern(redis);
    old({"SUBSCRIBE", "c"});
    EXPECT_EQ(old({"GET", "x"}), "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                                 "RESET are allowed in this context");
    EXPECT_EQ(old({"PING"}), R"(["pong" ""])");
    modern({"HELLO", "3"});
    EXPECT_EQ(modern({"SUBSCRIBE", "c"}), R"(>["subscribe" "c" :1])");
    EXPECT_EQ(modern({"GET", "x"}), "nil");
    redis({"PUBLISH", "c", "m"});
    EXPECT_EQ(modern.heard(), R"(>["message" "c" "m"])");
    EXPECT_EQ(old.heard(), R"(["message" "c" "m"])");
}

// Goal: a subscriber that does not read is given up at its limit; the others do not notice.
TEST(PubSub, SlowSubscriberIsGivenUp) {
    EngineBench redis({}, {.subscriber_output_bytes_max = 10'000});
    Client slow(redis), fast(redis);
    slow({"SUBSCRIBE", "c"});
    fast({"SUBSCRIBE", "c"});
    const std::string message(1000, 'x');
    for (int i = 0; i < 20; ++i) {
        redis({"PUBLISH", "c", message});
        fast.heard();
    }
    EXPECT_TRUE(slow.session.overflowed);
    EXPECT_EQ(slow.session.output.size(), 0u) << "its memory is free at once";
    EXPECT_FALSE(fast.session.overflowed);
}

// Goal: patterns match as Redis matches them, in bounded time.
TEST(PubSub, GlobsMatchAsInRedis) {
    EXPECT_TRUE(glob_matches("*", ""));
    EXPECT_TRUE(glob_matches("a*c", "abbbc"));
    EXPECT_FALSE(glob_matches("a*c", "abbb"));
    EXPECT_TRUE(glob_matches("h?llo", "hello"));
    EXPECT_FALSE(glob_matches("h?llo", "hllo"));
    EXPECT_TRUE(glob_matches("h[ae]llo", "hallo"));
    EXPECT_FALSE(glob_matches("h[^e]llo", "hello"));
    EXPECT_TRUE(glob_matches("h[a-c]llo", "hbllo"));
    EXPECT_TRUE(glob_matches("h[c-a]llo", "hbllo"));
    EXPECT_TRUE(glob_matches("\\*", "*"));
    EXPECT_FALSE(glob_matches("\\*", "x"));
    EXPECT_FALSE(glob_matches(std::string(50, '*') + "b", std::string(20'000, 'a')));
    EXPECT_FALSE(glob_matches("a*a*a*a*a*a*a*a*a*b", std::string(5'000, 'a')));
}

// Goal: patterns and channels have their bounds, each told by its own error; the longest ones are taken.
TEST(PubSub, LongPatternsAndChannelsAreRefused) {
    EngineBench redis;
    const std::string longest(1024, '*');
    constexpr auto kRefused = "-ERR pattern exceeds maximum allowed size";
    EXPECT_EQ(redis({"KEYS", longest}), "[]");
    EXPECT_EQ(redis({"KEYS", longest + "*"}), kRefused);
    EXPECT_EQ(redis({"PUBSUB", "CHANNELS", longest}), "[]");
    EXPECT_EQ(redis({"PUBSUB", "CHANNELS", longest + "*"}), kRefused);
    EXPECT_EQ(redis({"PUBLISH", std::string(64 * 1024, 'c'), "x"}), ":0");
    EXPECT_EQ(redis({"PUBLISH", std::string(64 * 1024 + 1, 'c'), "x"}), "-ERR name exceeds maximum allowed size");
    EXPECT_EQ(redis({"PSUBSCRIBE", longest + "*"}), kRefused);
    EXPECT_EQ(redis({"PSUBSCRIBE", longest}), "[\"psubscribe\" \"" + longest + "\" :1]");
}

} // namespace
} // namespace flotilla::hub::pubsub_test
