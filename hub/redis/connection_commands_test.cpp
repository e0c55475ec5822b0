#include <gtest/gtest.h>

#include "hub/testing/engine_bench.hpp"

namespace flotilla::hub::connection_commands_test {
namespace {

// Goal: the handshake of both protocol versions, and its errors, are Redis'.
TEST(ConnectionCommands, HelloSwitchesTheProtocol) {
    EngineBench redis;
    const std::string rest = R"("id" :1 "mode" "standalone" "role" "master" "modules" [])";
    EXPECT_EQ(redis({"HELLO"}), R"(["server" "redis" "version" "7.0.15" "proto" :2 )" + rest + "]");
    EXPECT_EQ(redis({"HELLO", "3", "AUTH", "default", "any", "SETNAME", "me"}),
              R"({"server" "redis" "version" "7.0.15" "proto" :3 )" + rest + "}");
    EXPECT_EQ(redis({"CLIENT", "GETNAME"}), "\"me\"");
    EXPECT_EQ(redis({"HELLO", "4"}), "-NOPROTO unsupported protocol version");
    EXPECT_EQ(redis({"HELLO", "x"}), "-ERR Protocol version is not an integer or out of range");
    EXPECT_EQ(redis({"HELLO", "2", "AUTH", "eve", "x"}),
              "-WRONGPASS invalid username-password pair or user is disabled.");
    EXPECT_EQ(redis({"HELLO", "2", "BOGUS"}), "-ERR Syntax error in HELLO option 'BOGUS'");
    EXPECT_EQ(redis({"GET", "none"}), "nil") << "a failed HELLO changes nothing";
    EXPECT_EQ(redis({"RESET"}), "+RESET");
    EXPECT_EQ(redis({"CLIENT", "GETNAME"}), "nil");
}

// Goal: the small commands every client library sends answer as in Redis.
TEST(ConnectionCommands, SmallCommandsAnswer) {
    EngineBench redis;
    EXPECT_EQ(redis({"PING"}), "+PONG");
    EXPECT_EQ(redis({"PING", "x"}), "\"x\"");
    EXPECT_EQ(redis({"ECHO", "x"}), "\"x\"");
    EXPECT_EQ(redis({"SELECT", "0"}), "+OK");
    EXPECT_EQ(redis({"SELECT", "1"}), "-ERR DB index is out of range");
    EXPECT_EQ(redis({"CLIENT", "SETNAME", "worker-1"}), "+OK");
    EXPECT_EQ(redis({"CLIENT", "SETNAME", "a b"}),
              "-ERR Client names cannot contain spaces, newlines or special characters.");
    EXPECT_EQ(redis({"CLIENT", "SETINFO", "LIB-NAME", "node-redis"}), "+OK");
    EXPECT_EQ(redis({"CLIENT", "SETINFO", "BOGUS", "x"}), "-ERR Unrecognized option 'BOGUS'");
    EXPECT_EQ(redis({"CLIENT", "ID"}), ":1");
    EXPECT_NE(redis({"CLIENT", "INFO"}).find("name=worker-1"), std::string::npos);
    EXPECT_NE(redis({"CLIENT", "LIST"}).find("lib-name=node-redis"), std::string::npos);
    EXPECT_NE(redis({"INFO"}).find("redis_version:7.0.15"), std::string::npos);
    EXPECT_EQ(redis({"INFO", "keyspace"}), "\"# Keyspace\r\n\"");
    EXPECT_EQ(redis({"COMMAND", "DOCS"}), "[]");
    EXPECT_EQ(redis({"COMMAND", "INFO", "get", "none"}), R"([["get" :2 [+readonly +fast] :1 :1 :1 [] [] [] []] nil])");
    EXPECT_NE(redis({"COMMAND"}).find("xgroup|createconsumer"), std::string::npos);
    EXPECT_NE(redis({"XGROUP", "HELP"}).find("+CREATECONSUMER"), std::string::npos);
    EXPECT_EQ(redis({"NONSENSE", "a", "b"}), "-ERR unknown command 'NONSENSE', with args beginning with: 'a' 'b' ");
    EXPECT_EQ(redis({"GET"}), "-ERR wrong number of arguments for 'get' command");
    EXPECT_EQ(redis({"FLUSHALL"}).substr(0, 30), "-NOPERM flushall is refused he");
    EXPECT_EQ(redis({"QUIT"}), "+OK");
    EXPECT_TRUE(redis.session.close_after_reply);
}

// Goal: leases and limiters: SET NX EX, INCR, expiry by the clock.
TEST(StringCommands, LeasesAndLimitersExpire) {
    EngineBench redis;
    EXPECT_EQ(redis({"SET", "lease", "me", "NX", "PX", "100"}), "+OK");
    EXPECT_EQ(redis({"SET", "lease", "you", "NX", "PX", "100"}), "nil");
    EXPECT_EQ(redis({"SET", "lease", "you", "XX", "GET", "KEEPTTL"}), "\"me\"");
    EXPECT_EQ(redis({"PTTL", "lease"}), ":100");
    redis.now_ms += 100;
    EXPECT_EQ(redis({"GET", "lease"}), "nil");
    EXPECT_EQ(redis({"TTL", "lease"}), ":-2");
    EXPECT_EQ(redis({"INCR", "limit"}), ":1");
    EXPECT_EQ(redis({"EXPIRE", "limit", "1", "NX"}), ":1");
    EXPECT_EQ(redis({"EXPIRE", "limit", "9", "NX"}), ":0");
    EXPECT_EQ(redis({"INCRBY", "limit", "41"}), ":42");
    EXPECT_EQ(redis({"TTL", "limit"}), ":1") << "counting keeps the time";
    redis.now_ms += 1000;
    EXPECT_EQ(redis({"INCR", "limit"}), ":1");
    redis({"SET", "limit", "9223372036854775807"});
    EXPECT_EQ(redis({"INCR", "limit"}), "-ERR increment or decrement would overflow");
    redis({"SET", "limit", " 1"});
    EXPECT_EQ(redis({"INCR", "limit"}), "-ERR value is not an integer or out of range");
    EXPECT_EQ(redis({"SET", "k", "v", "EX", "0"}), "-ERR invalid expire time in 'set' command");
    EXPECT_EQ(redis({"SET", "k", "v", "EX"}), "-ERR syntax error");
    EXPECT_EQ(redis({"SET", "k", "v", "NX", "XX"}), "-ERR syntax error");
    EXPECT_EQ(redis({"TYPE", "limit"}), "+string");
    EXPECT_EQ(redis({"DEL", "limit", "none"}), ":1");
}

} // namespace
} // namespace flotilla::hub::connection_commands_test
