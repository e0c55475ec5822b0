#include <gtest/gtest.h>

#include "hub/testing/engine_bench.hpp"

namespace flotilla::hub::group_commands_test {
namespace {

/// A stream "s" with entries 1-1 .. n-1 and a group "g" at its start.
void fill(EngineBench& redis, int entries) {
    redis({"XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"});
    for (int i = 1; i <= entries; ++i)
        redis({"XADD", "s", std::to_string(i) + "-1", "n", std::to_string(i)});
}

// Goal: groups are created once, moved and destroyed; each error is worded as Redis words it.
TEST(GroupCommands, XgroupManagesGroups) {
    EngineBench redis;
    EXPECT_EQ(redis({"XGROUP", "CREATE", "s", "g", "$"}), "-ERR The XGROUP subcommand requires the key to exist. Note "
                                                          "that for CREATE you may want to use the MKSTREAM option "
                                                          "to create an empty stream automatically.");
    EXPECT_EQ(redis({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"}), "+OK");
    EXPECT_EQ(redis({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"}), "-BUSYGROUP Consumer Group name already exists");
    EXPECT_EQ(redis({"XGROUP", "CREATE", "s", "h", "x"}),
              "-ERR Invalid stream ID specified as stream command argument");
    EXPECT_EQ(redis({"XGROUP", "CREATE", "s", "h", "0", "ENTRIESREAD", "-2"}),
              "-ERR value for ENTRIESREAD must be positive or -1");
    EXPECT_EQ(redis({"XGROUP", "CREATE", "s", "h", "0", "BOGUS"}),
              "-ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.");
    EXPECT_EQ(redis({"XGROUP", "CREATECONSUMER", "s", "g", "c"}), ":1");
    EXPECT_EQ(redis({"XGROUP", "CREATECONSUMER", "s", "g", "c"}), ":0");
    EXPECT_EQ(redis({"XGROUP", "SETID", "s", "none", "0"}), "-NOGROUP No such consumer group 'none' for key name 's'");
    EXPECT_EQ(redis({"XGROUP", "SETID", "s", "g", "7-7"}), "+OK");
    EXPECT_EQ(redis({"XINFO", "GROUPS", "s"}),
              R"([["name" "g" "consumers" :1 "pending" :0 "last-delivered-id" "7-7" "entries-read" nil "lag" :0]])");
    EXPECT_EQ(redis({"XGROUP", "DELCONSUMER", "s", "g", "c"}), ":0");
    EXPECT_EQ(redis({"XGROUP", "DESTROY", "s", "g"}), ":1");
    EXPECT_EQ(redis({"XGROUP", "DESTROY", "s", "g"}), ":0");
    EXPECT_EQ(redis({"XGROUP", "BOGUS", "s"}), "-ERR unknown subcommand 'BOGUS'. Try XGROUP HELP.");
    EXPECT_EQ(redis({"XGROUP", "DESTROY", "s"}), "-ERR wrong number of arguments for 'xgroup|destroy' command");
}

// Goal: new entries go to one consumer each, stay pending until acknowledged, and can be read again from the history.
TEST(GroupCommands, XreadgroupDeliversOnceAndKeepsPending) {
    EngineBench redis;
    fill(redis, 3);
    EXPECT_EQ(redis({"XREADGROUP", "GROUP", "g", "alice", "COUNT", "2", "STREAMS", "s", ">"}),
              R"([["s" [["1-1" ["n" "1"]] ["2-1" ["n" "2"]]]]])");
    EXPECT_EQ(redis({"XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", ">"}), R"([["s" [["3-1" ["n" "3"]]]]])");
    EXPECT_EQ(redis({"XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", ">"}), "nil");
    redis.now_ms += 50;
    EXPECT_EQ(redis({"XPENDING", "s", "g"}), R"([:3 "1-1" "3-1" [["alice" "2"] ["bob" "1"]]])");
    EXPECT_EQ(redis({"XPENDING", "s", "g", "-", "+", "10", "alice"}),
              R"([["1-1" "alice" :50 :1] ["2-1" "alice" :50 :1]])");
    EXPECT_EQ(redis({"XPENDING", "s", "g", "IDLE", "51", "-", "+", "10"}), "[]");
    EXPECT_EQ(redis({"XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", "1-1"}), R"([["s" [["2-1" ["n" "2"]]]]])");
    EXPECT_EQ(redis({"XPENDING", "s", "g", "(1-1", "2-1", "10"}), R"([["2-1" "alice" :0 :2]])")
        << "reading again counts";
    EXPECT_EQ(redis({"XACK", "s", "g", "1-1", "1-1", "9-9"}), ":1");
    redis({"XDEL", "s", "2-1"});
    EXPECT_EQ(redis({"XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", "0"}), R"([["s" [["2-1" nil]]]])")
        << "what was deleted meanwhile is still pending";
    EXPECT_EQ(redis({"XACK", "s", "none", "1-1"}), ":0");
    EXPECT_EQ(redis({"XREADGROUP", "GROUP", "none", "c", "STREAMS", "s", ">"}),
              "-NOGROUP No such key 's' or consumer group 'none' in XREADGROUP with GROUP option");
    EXPECT_EQ(redis({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "$"}).substr(0, 26),
              "-ERR The $ ID is meaningle");
    EXPECT_EQ(redis({"XPENDING", "s", "none"}), "-NOGROUP No such key 's' or consumer group 'none'");
}

// Goal: NOACK delivers without anything becoming pending.
TEST(GroupCommands, NoackLeavesNothingPending) {
    EngineBench redis;
    fill(redis, 2);
    redis({"XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", "s", ">"});
    EXPECT_EQ(redis({"XPENDING", "s", "g"}), "[:0 nil nil nil]");
    EXPECT_EQ(redis({"XINFO", "CONSUMERS", "s", "g"}), R"([["name" "c" "pending" :0 "idle" :0]])");
}

// Goal: an idle entry changes hands by XCLAIM, a fresh one does not, and options set what they say.
TEST(GroupCommands, XclaimTakesIdleEntries) {
    EngineBench redis;
    fill(redis, 3);
    redis({"XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", ">"});
    redis.now_ms += 100;
    EXPECT_EQ(redis({"XCLAIM", "s", "g", "bob", "101", "1-1"}), "[]");
    EXPECT_EQ(redis({"XCLAIM", "s", "g", "bob", "100", "1-1", "8-8"}), R"([["1-1" ["n" "1"]]])");
    EXPECT_EQ(redis({"XCLAIM", "s", "g", "bob", "0", "2-1", "JUSTID", "IDLE", "30", "RETRYCOUNT", "7"}), R"(["2-1"])");
    EXPECT_EQ(redis({"XPENDING", "s", "g", "-", "+", "10", "bob"}), R"([["1-1" "bob" :0 :2] ["2-1" "bob" :30 :7]])");
    EXPECT_EQ(redis({"XACK", "s", "g", "3-1"}), ":1");
    EXPECT_EQ(redis({"XCLAIM", "s", "g", "bob", "0", "3-1"}), "[]");
    EXPECT_EQ(redis({"XCLAIM", "s", "g", "bob", "0", "3-1", "FORCE", "JUSTID"}), R"(["3-1"])");
    EXPECT_EQ(redis({"XCLAIM", "s", "g", "bob", "0", "3-1", "BOGUS"}), "-ERR Unrecognized XCLAIM option 'BOGUS'");
    EXPECT_EQ(redis({"XCLAIM", "s", "g", "bob", "x", "3-1"}), "-ERR Invalid min-idle-time argument for XCLAIM");
}

// Goal: XAUTOCLAIM walks the pending list with a cursor and drops what the stream no longer has.
TEST(GroupCommands, XautoclaimWalksAndDropsDeleted) {
    EngineBench redis;
    fill(redis, 4);
    redis({"XREADGROUP", "GROUP", "g", "alice", "STREAMS", "s", ">"});
    redis({"XDEL", "s", "2-1"});
    redis.now_ms += 100;
    EXPECT_EQ(redis({"XAUTOCLAIM", "s", "g", "bob", "50", "0", "COUNT", "2"}),
              R"(["3-1" [["1-1" ["n" "1"]]] ["2-1"]])");
    EXPECT_EQ(redis({"XAUTOCLAIM", "s", "g", "bob", "50", "3-1", "JUSTID"}), R"(["0-0" ["3-1" "4-1"] []])");
    EXPECT_EQ(redis({"XPENDING", "s", "g"}), R"([:3 "1-1" "4-1" [["bob" "3"]]])");
    EXPECT_EQ(redis({"XAUTOCLAIM", "s", "g", "bob", "50", "0"}), R"(["0-0" [] []])") << "claimed a moment ago";
    EXPECT_EQ(redis({"XAUTOCLAIM", "s", "g", "bob", "0", "0", "COUNT", "0"}), "-ERR COUNT must be > 0");
}

// Goal: deleting a consumer drops what was pending for it, and says how much.
TEST(GroupCommands, DelconsumerDropsItsPending) {
    EngineBench redis;
    fill(redis, 3);
    redis({"XREADGROUP", "GROUP", "g", "alice", "COUNT", "2", "STREAMS", "s", ">"});
    redis({"XREADGROUP", "GROUP", "g", "bob", "STREAMS", "s", ">"});
    EXPECT_EQ(redis({"XGROUP", "DELCONSUMER", "s", "g", "alice"}), ":2");
    EXPECT_EQ(redis({"XPENDING", "s", "g"}), R"([:1 "3-1" "3-1" [["bob" "1"]]])");
}

// Goal: lag and entries-read follow deliveries, and are unknown once deletions make them so.
TEST(GroupCommands, LagFollowsDeliveries) {
    EngineBench redis;
    fill(redis, 5);
    redis({"XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", "s", ">"});
    const std::string head = R"([["name" "g" "consumers" :1 "pending" :2 "last-delivered-id" "2-1" )";
    EXPECT_EQ(redis({"XINFO", "GROUPS", "s"}), head + R"("entries-read" :2 "lag" :3]])");
    redis({"XDEL", "s", "4-1"});
    EXPECT_EQ(redis({"XINFO", "GROUPS", "s"}), head + R"("entries-read" :2 "lag" nil]])");
}

// Goal: XINFO STREAM FULL shows entries, groups, consumers and what is pending.
TEST(GroupCommands, XinfoFullShowsEverything) {
    EngineBench redis;
    fill(redis, 1);
    redis({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"});
    EXPECT_EQ(
        redis({"XINFO", "STREAM", "s", "FULL"}),
        R"(["length" :1 "radix-tree-keys" :1 "radix-tree-nodes" :2 "last-generated-id" "1-1" "max-deleted-entry-id" "0-0" )"
        R"("entries-added" :1 "recorded-first-entry-id" "1-1" "entries" [["1-1" ["n" "1"]]] "groups" [["name" "g" )"
        R"("last-delivered-id" "1-1" "entries-read" :1 "lag" :0 "pel-count" :1 "pending" [["1-1" "c" :1000000 :1]] )"
        R"("consumers" [["name" "c" "seen-time" :1000000 "pel-count" :1 "pending" [["1-1" :1000000 :1]]]]]]])");
}

} // namespace
} // namespace flotilla::hub::group_commands_test
