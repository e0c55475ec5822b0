#include <gtest/gtest.h>

#include "hub/testing/engine_bench.hpp"

namespace flotilla::hub::stream_commands_test {
namespace {

constexpr auto kBadId = "-ERR Invalid stream ID specified as stream command argument";
constexpr auto kSyntax = "-ERR syntax error";

// Goal: XADD makes ids in each of its three forms and refuses those that go backwards.
TEST(StreamCommands, XaddMakesIdsAndRefusesSmallerOnes) {
    EngineBench redis;
    EXPECT_EQ(redis({"XADD", "s", "5-1", "a", "1"}), "\"5-1\"");
    EXPECT_EQ(redis({"XADD", "s", "5-*", "a", "2"}), "\"5-2\"");
    EXPECT_EQ(redis({"XADD", "s", "6-*", "a", "3"}), "\"6-0\"");
    EXPECT_EQ(redis({"XADD", "s", "*", "a", "4"}), "\"1000000-0\"");
    EXPECT_EQ(redis({"XADD", "s", "*", "a", "5"}), "\"1000000-1\"");
    redis.now_ms = 10; // a clock that goes back does not take the ids with it
    EXPECT_EQ(redis({"xadd", "s", "*", "a", "6"}), "\"1000000-2\"");
    EXPECT_EQ(redis({"XADD", "s", "7-0", "a", "7"}),
              "-ERR The ID specified in XADD is equal or smaller than the target stream top item");
    EXPECT_EQ(redis({"XADD", "s", "0-0", "a", "7"}), "-ERR The ID specified in XADD must be greater than 0-0");
    EXPECT_EQ(redis({"XADD", "s", "x-1", "a", "7"}), kBadId);
    EXPECT_EQ(redis({"XADD", "s", "5-1-*", "a", "7"}), kBadId);
    EXPECT_EQ(redis({"XADD", "s", "-", "a", "7"}), kBadId);
    EXPECT_EQ(redis({"XADD", "s", "*", "a"}), "-ERR wrong number of arguments for 'xadd' command");
    EXPECT_EQ(redis({"XADD", "s", "*", "a", "1", "b"}), "-ERR wrong number of arguments for 'xadd' command");
    EXPECT_EQ(redis({"XLEN", "s"}), ":6");
    EXPECT_EQ(redis({"XADD", "end", "18446744073709551615-18446744073709551615", "a", "1"}),
              "\"18446744073709551615-18446744073709551615\"");
    EXPECT_EQ(redis({"XADD", "end", "*", "a", "1"}),
              "-ERR The stream has exhausted the last possible ID, unable to add more items");
    EXPECT_EQ(redis({"XADD", "none", "NOMKSTREAM", "*", "a", "1"}), "nil");
    EXPECT_EQ(redis({"EXISTS", "none"}), ":0");
    redis({"SET", "text", "x"});
    EXPECT_EQ(redis({"XADD", "text", "*", "a", "1"}),
              "-WRONGTYPE Operation against a key holding the wrong kind of value");
}

// Goal: ranges honour both ends, exclusive ends, COUNT and both directions, across blocks and removed entries.
TEST(StreamCommands, XrangeHonoursEndsCountAndDirection) {
    EngineBench redis;
    for (int i = 1; i <= 250; ++i)
        redis({"XADD", "s", std::to_string(i) + "-1", "n", std::to_string(i)});
    EXPECT_EQ(redis({"XRANGE", "s", "100", "101"}), R"([["100-1" ["n" "100"]] ["101-1" ["n" "101"]]])");
    EXPECT_EQ(redis({"XRANGE", "s", "(100-1", "+", "COUNT", "1"}), R"([["101-1" ["n" "101"]]])");
    EXPECT_EQ(redis({"XREVRANGE", "s", "+", "-", "COUNT", "2"}), R"([["250-1" ["n" "250"]] ["249-1" ["n" "249"]]])");
    EXPECT_EQ(redis({"XREVRANGE", "s", "(101-1", "100"}), R"([["100-1" ["n" "100"]]])");
    EXPECT_EQ(redis({"XDEL", "s", "100-1", "101-1", "101-1", "999-1"}), ":2");
    EXPECT_EQ(redis({"XRANGE", "s", "99", "102"}), R"([["99-1" ["n" "99"]] ["102-1" ["n" "102"]]])");
    EXPECT_EQ(redis({"XREVRANGE", "s", "102", "99"}), R"([["102-1" ["n" "102"]] ["99-1" ["n" "99"]]])");
    EXPECT_EQ(redis({"XLEN", "s"}), ":248");
    EXPECT_EQ(redis({"XRANGE", "s", "-", "+", "COUNT", "0"}), "nil");
    EXPECT_EQ(redis({"XRANGE", "s", "-", "+", "COUNT"}), kSyntax);
    EXPECT_EQ(redis({"XRANGE", "s", "a", "+"}), kBadId);
    EXPECT_EQ(redis({"XRANGE", "s", "(-", "+"}), kBadId);
    EXPECT_EQ(redis({"XRANGE", "s", "(18446744073709551615-18446744073709551615", "+"}),
              "-ERR invalid start ID for the interval");
    EXPECT_EQ(redis({"XRANGE", "s", "-", "(0-0"}), "-ERR invalid end ID for the interval");
    EXPECT_EQ(redis({"XRANGE", "none", "-", "+"}), "[]");
}

// Goal: trimming removes the oldest exactly, or only whole blocks when asked approximately.
TEST(StreamCommands, XtrimRemovesTheOldest) {
    EngineBench redis;
    for (int i = 1; i <= 350; ++i)
        redis({"XADD", "s", std::to_string(i) + "-1", "n", "x"});
    EXPECT_EQ(redis({"XTRIM", "s", "MAXLEN", "~", "240"}), ":100") << "whole blocks of 100";
    EXPECT_EQ(redis({"XTRIM", "s", "MAXLEN", "=", "240"}), ":10");
    EXPECT_EQ(redis({"XTRIM", "s", "MINID", "201"}), ":90");
    EXPECT_EQ(redis({"XTRIM", "s", "MINID", "~", "302", "LIMIT", "10"}), ":0") << "a block is more than the limit";
    EXPECT_EQ(redis({"XTRIM", "s", "MINID", "~", "302"}), ":100");
    EXPECT_EQ(redis({"XADD", "s", "MAXLEN", "5", "*", "n", "x"}), "\"1000000-0\"");
    EXPECT_EQ(redis({"XLEN", "s"}), ":5");
    EXPECT_EQ(redis({"XADD", "s", "MAXLEN", "0", "*", "n", "x"}), "\"1000000-1\"");
    EXPECT_EQ(redis({"XLEN", "s"}), ":0");
    EXPECT_EQ(redis({"XTRIM", "s", "MAXLEN", "-1"}), "-ERR The MAXLEN argument must be >= 0.");
    EXPECT_EQ(redis({"XTRIM", "s", "MAXLEN", "x"}), "-ERR value is not an integer or out of range");
    EXPECT_EQ(redis({"XTRIM", "s", "MAXLEN", "1", "LIMIT", "1"}),
              "-ERR syntax error, LIMIT cannot be used without the special ~ option");
    EXPECT_EQ(redis({"XTRIM", "s", "MAXLEN", "1", "MINID", "1"}),
              "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
    EXPECT_EQ(redis({"XTRIM", "s", "SOME", "1"}), kSyntax);
    EXPECT_EQ(redis({"XTRIM", "none", "MAXLEN", "1"}), ":0");
}

// Goal: XREAD gives what comes after each position, at most COUNT of each, and nothing when there is nothing.
TEST(StreamCommands, XreadGivesWhatComesAfter) {
    EngineBench redis;
    redis({"XADD", "a", "1-1", "n", "1"});
    redis({"XADD", "a", "2-1", "n", "2"});
    redis({"XADD", "b", "3-1", "n", "3"});
    EXPECT_EQ(redis({"XREAD", "COUNT", "1", "STREAMS", "a", "b", "0", "0"}),
              R"([["a" [["1-1" ["n" "1"]]]] ["b" [["3-1" ["n" "3"]]]]])");
    EXPECT_EQ(redis({"XREAD", "STREAMS", "a", "b", "1-1", "$"}), R"([["a" [["2-1" ["n" "2"]]]]])");
    EXPECT_EQ(redis({"XREAD", "STREAMS", "a", "none", "$", "0"}), "nil");
    EXPECT_EQ(redis({"XREAD", "STREAMS", "a", "b", "0"}),
              "-ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");
    EXPECT_EQ(redis({"XREAD", "GROUP", "g", "c", "STREAMS", "a", "0"}),
              "-ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
    EXPECT_EQ(redis({"XREAD", "STREAMS", "a", ">"}),
              "-ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.");
    EXPECT_EQ(redis({"XREAD", "BLOCK", "-1", "STREAMS", "a", "$"}), "-ERR timeout is negative");
    EXPECT_EQ(redis({"XREAD", "BLOCK", "x", "STREAMS", "a", "$"}), "-ERR timeout is not an integer or out of range");
    EXPECT_EQ(redis({"XREAD", "COUNT", "1", "a", "0"}), kSyntax);
    redis({"HELLO", "3"});
    EXPECT_EQ(redis({"XREAD", "STREAMS", "b", "0"}), R"({"b" [["3-1" ["n" "3"]]]})") << "a map in RESP3";
}

// Goal: XSETID moves the numbers of a stream but never below what it holds.
TEST(StreamCommands, XsetidMovesNumbersButNotBelowEntries) {
    EngineBench redis;
    redis({"XADD", "s", "5-1", "n", "1"});
    EXPECT_EQ(redis({"XSETID", "s", "4-1"}),
              "-ERR The ID specified in XSETID is smaller than the target stream top item");
    EXPECT_EQ(redis({"XSETID", "s", "9-1", "ENTRIESADDED", "0"}),
              "-ERR The entries_added specified in XSETID is smaller than the target stream length");
    EXPECT_EQ(redis({"XSETID", "s", "9-1", "MAXDELETEDID", "10-1"}),
              "-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
    EXPECT_EQ(redis({"XSETID", "s", "9-1", "ENTRIESADDED", "7", "MAXDELETEDID", "2-1"}), "+OK");
    EXPECT_EQ(redis({"XADD", "s", "9-*", "n", "1"}), "\"9-2\"");
    EXPECT_EQ(redis({"XINFO", "STREAM", "s"}),
              R"(["length" :2 "radix-tree-keys" :1 "radix-tree-nodes" :2 "last-generated-id" "9-2" )"
              R"("max-deleted-entry-id" "2-1" "entries-added" :8 "recorded-first-entry-id" "5-1" "groups" :0 )"
              R"("first-entry" ["5-1" ["n" "1"]] "last-entry" ["9-2" ["n" "1"]]])");
    EXPECT_EQ(redis({"XSETID", "none", "1-1"}), "-ERR no such key");
}

// Goal: at its bounds the bus refuses, in Redis' words, instead of growing.
TEST(StreamCommands, FullBusRefuses) {
    EngineBench redis(
        {.name_bytes_max = 10, .entry_bytes_max = 1000, .stream_bytes_max = 2000, .memory_bytes_max = 3900});
    const std::string oom = "-OOM command not allowed when used memory > 'maxmemory'.";
    EXPECT_EQ(redis({"XADD", "s", "1-1", "n", std::string(2000, 'x')}), "-ERR Elements are too large to be stored");
    EXPECT_EQ(redis({"XADD", std::string(11, 'k'), "1-1", "n", "x"}), "-ERR name exceeds maximum allowed size");
    EXPECT_EQ(redis({"EXISTS", "s", std::string(11, 'k')}), ":0") << "a refused command leaves nothing behind";
    int added = 0;
    while (redis({"XADD", "s", "*", "n", std::string(500, 'x')}) != oom && added < 100)
        ++added;
    EXPECT_EQ(added, 3);
    EXPECT_EQ(redis({"XADD", "t", "*", "n", std::string(900, 'x')}), "\"1000000-0\"") << "another stream has room";
    EXPECT_EQ(redis({"XADD", "t", "*", "n", std::string(900, 'x')}), "\"1000000-1\"");
    EXPECT_EQ(redis({"XADD", "u", "*", "n", "x"}), oom) << "now memory is full";
    EXPECT_EQ(redis({"SET", "k", "v"}), oom);
    EXPECT_EQ(redis({"XTRIM", "t", "MAXLEN", "0"}), ":2");
    EXPECT_EQ(redis({"SET", "k", "v"}), "+OK");
}

} // namespace
} // namespace flotilla::hub::stream_commands_test
