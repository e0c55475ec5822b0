#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "hub/redis/sqlite_journal.hpp"
#include "hub/testing/bus_server.hpp"
#include "hub/testing/child_process.hpp"

namespace flotilla::hub::redis_server_test {
namespace {

std::uint64_t commits(BusServer& bus) { return bus.metrics().counter("hub_bus_commits_total", "").value(); }

/// Asks until the answer is the expected one; the limit of every receive() bounds it in time.
void wait_until(RedisClient& client, const Words& question, const std::string& answer) {
    for (int i = 0; i < 100'000; ++i) {
        if (show(client(question)) == answer) return;
    }
    ADD_FAILURE() << question[0] << " never answered " << answer;
}

/// Waits until a gauge is at least (or at most) so high; it is published ten times a second.
bool eventually(BusServer& bus, const std::string& gauge, const std::function<bool(std::int64_t)>& wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!wanted(bus.metrics().gauge(gauge, "").value())) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

// Goal: commands sent together are answered in order, and share one commit.
TEST(RedisServer, PipelinedCommandsShareOneCommit) {
    BusServer bus;
    RedisClient client = bus.connect();
    std::string bytes;
    for (int i = 1; i <= 100; ++i)
        resp::write_command(bytes, Words{"XADD", "s", std::to_string(i) + "-1", "n", "x"});
    client.socket().send(bytes);
    for (int i = 1; i <= 100; ++i)
        EXPECT_EQ(show(client.receive()), "\"" + std::to_string(i) + "-1\"");
    EXPECT_LE(commits(bus), 2u) << "one, or two when the packet was cut";
}

// Goal: inline commands, split packets and empty lines are understood; a protocol error is told and ends the session.
TEST(RedisServer, ProtocolErrorsEndTheSession) {
    const BusServer bus;
    SocketClient person = SocketClient::tcp(bus.port());
    person.send("PING\r\n\r\nEC");
    person.send("HO \"a b\"\r\n");
    EXPECT_EQ(person.line(), "+PONG\r\n");
    EXPECT_EQ(person.line(), "$3\r\n");
    EXPECT_EQ(person.line(), "a b\r\n");
    person.send("*1\r\n!bad\r\nPING\r\n");
    EXPECT_EQ(person.receive_all(), "-ERR Protocol error: expected '$', got '!'\r\n");
}

// Goal: HTTP and TLS on this port, which a page in a browser can send, end the connection before anything behind their
// first line is executed, and the log says so in words.
TEST(RedisServer, OtherProtocolsAreCutOff) {
    BusServer bus;
    RedisClient client = bus.connect();
    for (const std::string_view begin : {"POST / HTTP/1.1\r\nHost: 127.0.0.1:6380\r\n\r\n\r\n", "host: x\r\n",
                                         "\x16\x03\x01\x02\x00\n", "XADD s 1-1 n 1\r\nPOST / HTTP/1.1\r\n"}) {
        SocketClient page = SocketClient::tcp(bus.port());
        page.send(std::string(begin) + "SET k owned\r\n");
        EXPECT_EQ(page.receive_all(), "") << begin;
        EXPECT_EQ(show(client({"EXISTS", "k"})), ":0") << begin;
    }
    EXPECT_EQ(show(client({"XLEN", "s"})), ":1") << "what came before was a command";
    const std::string log = bus.log();
    EXPECT_NE(log.find("possible SECURITY ATTACK"), std::string::npos) << log;
    EXPECT_NE(log.find(R"("protocol":"HTTP","peer":"127.0.0.1:)"), std::string::npos) << log;
    EXPECT_EQ(log.find("SECURITY", log.find("SECURITY") + 1), std::string::npos) << "once a minute: " << log;
}

// Goal: what a waiting client sent behind its blocking command is cut off as well.
TEST(RedisServer, HttpBehindABlockingCommandIsCutOff) {
    const BusServer bus;
    RedisClient client = bus.connect();
    SocketClient page = SocketClient::tcp(bus.port());
    page.send("XREAD BLOCK 20 STREAMS none $\r\nPOST /\r\nSET k owned\r\n");
    page.receive_all();
    EXPECT_EQ(show(client({"EXISTS", "k"})), ":0");
}

// Goal: QUIT is answered before the connection ends; a client that stops sending still gets its replies.
TEST(RedisServer, LastRepliesLeaveBeforeTheEnd) {
    const BusServer bus;
    SocketClient quitting = SocketClient::tcp(bus.port());
    quitting.send("XADD s 1-1 n 1\r\nQUIT\r\nPING\r\n");
    EXPECT_EQ(quitting.receive_all(), "$3\r\n1-1\r\n+OK\r\n");
    SocketClient silent = SocketClient::tcp(bus.port());
    silent.send("XADD s 2-1 n 1\r\n");
    silent.shutdown_write();
    EXPECT_EQ(silent.receive_all(), "$3\r\n2-1\r\n");
}

// Goal: a waiting XREADGROUP is woken by another client's XADD; commands sent behind it run afterwards, in order.
TEST(RedisServer, BlockedReadIsWokenByXadd) {
    BusServer bus;
    RedisClient waiting = bus.connect();
    RedisClient writing = bus.connect();
    waiting({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"});
    waiting.send({"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"});
    waiting.send({"XACK", "s", "g", "1-1"});
    waiting.send({"PING"});
    wait_until(writing, {"INFO", "clients"}, "\"# Clients\r\nconnected_clients:2\r\nblocked_clients:1\r\n\"");
    EXPECT_FALSE(waiting.socket().readable());
    EXPECT_TRUE(eventually(bus, "hub_bus_blocked_clients", [](auto clients) { return clients == 1; }));
    writing({"XADD", "s", "1-1", "n", "1"});
    EXPECT_EQ(show(waiting.receive()), R"([["s" [["1-1" ["n" "1"]]]]])");
    EXPECT_EQ(show(waiting.receive()), ":1");
    EXPECT_EQ(show(waiting.receive()), "+PONG");
    EXPECT_TRUE(eventually(bus, "hub_bus_blocked_clients", [](auto clients) { return clients == 0; }));
}

// Goal: BLOCK ends by itself after its time.
TEST(RedisServer, BlockedReadEndsAfterItsTime) {
    const BusServer bus;
    RedisClient client = bus.connect();
    EXPECT_EQ(show(client({"XREAD", "BLOCK", "20", "STREAMS", "none", "$"})), "nil");
    EXPECT_EQ(show(client({"PING"})), "+PONG");
}

// Goal: a client that dies while it waits leaves the group, and takes no entry.
TEST(RedisServer, DeadWaiterLeavesTheGroup) {
    const BusServer bus;
    RedisClient client = bus.connect();
    client({"XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"});
    {
        RedisClient dying = bus.connect();
        dying.send({"XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"});
        wait_until(client, {"INFO", "clients"}, "\"# Clients\r\nconnected_clients:2\r\nblocked_clients:1\r\n\"");
    }
    wait_until(client, {"INFO", "clients"}, "\"# Clients\r\nconnected_clients:1\r\nblocked_clients:0\r\n\"");
    client({"XADD", "s", "1-1", "n", "1"});
    EXPECT_EQ(show(client({"XPENDING", "s", "g"})), "[:0 nil nil nil]");
}

// Goal: a client that dies while it is not read from, since it owes too much reading, is noticed and leaves.
TEST(RedisServer, DeadClientThatOwesReadingLeaves) {
    const BusServer bus;
    RedisClient client = bus.connect();
    {
        RedisClient dying = bus.connect();
        dying({"SUBSCRIBE", "c"});
        const std::string message(1024 * 1024, 'x');
        for (int i = 0; i < 20; ++i) // more than sockets take, less than a subscriber may owe
            EXPECT_EQ(show(client({"PUBLISH", "c", message})), ":1");
        dying.send({"PING"}); // the last that is read, before the second of these is answered
        for (int i = 0; i < 2; ++i)
            EXPECT_EQ(show(client({"PING"})), "+PONG");
    }
    wait_until(client, {"INFO", "clients"}, "\"# Clients\r\nconnected_clients:1\r\nblocked_clients:0\r\n\"");
}

// Goal: a waiting client that sent much behind its command is still noticed when it dies; one that sends no end of it
// is disconnected.
TEST(RedisServer, WaitingClientThatSendsMuchLeaves) {
    BusServer bus;
    RedisClient client = bus.connect();
    {
        RedisClient dying = bus.connect();
        dying.send({"XREAD", "BLOCK", "0", "STREAMS", "s", "$"});
        dying.send({"ECHO", std::string(200'000, 'x')});
        EXPECT_TRUE(eventually(bus, "hub_bus_blocked_clients", [](auto clients) { return clients == 1; }));
    }
    wait_until(client, {"INFO", "clients"}, "\"# Clients\r\nconnected_clients:1\r\nblocked_clients:0\r\n\"");
    RedisClient greedy = bus.connect();
    greedy.send({"XREAD", "BLOCK", "0", "STREAMS", "s", "$"});
    greedy.socket().send(std::string(1024 * 1024, 'x'));
    EXPECT_EQ(greedy.socket().receive_all(), "");
    wait_until(client, {"INFO", "clients"}, "\"# Clients\r\nconnected_clients:1\r\nblocked_clients:0\r\n\"");
}

// Goal: several subscribers over several connections each hear everything, in order.
TEST(RedisServer, SubscribersHearEverythingInOrder) {
    const BusServer bus;
    std::vector<RedisClient> subscribers;
    for (int i = 0; i < 5; ++i) {
        subscribers.push_back(bus.connect());
        subscribers.back()({"SUBSCRIBE", "c"});
    }
    RedisClient publisher = bus.connect();
    for (int i = 0; i < 1000; ++i)
        publisher.send({"PUBLISH", "c", std::to_string(i)});
    for (int i = 0; i < 1000; ++i)
        EXPECT_EQ(show(publisher.receive()), ":5");
    for (RedisClient& subscriber : subscribers) {
        for (int i = 0; i < 1000; ++i)
            EXPECT_EQ(show(subscriber.receive()), R"(["message" "c" ")" + std::to_string(i) + "\"]");
    }
}

// Goal: a subscriber that never reads is disconnected once it owes 32 MiB; the publisher and the bus go on.
TEST(RedisServer, SlowSubscriberIsDisconnected) {
    const BusServer bus;
    RedisClient slow = bus.connect();
    slow({"SUBSCRIBE", "c"});
    RedisClient publisher = bus.connect();
    const std::string message(1024 * 1024, 'x');
    int sent = 0;
    while (show(publisher({"PUBLISH", "c", message})) == ":1" && sent < 100)
        ++sent;
    EXPECT_GE(sent, 31);
    EXPECT_LT(sent, 100);
    EXPECT_EQ(show(publisher({"PUBSUB", "NUMSUB", "c"})), R"(["c" :0])");
}

// Goal: a client that sends much and reads nothing is not read from, instead of filling memory, and loses nothing.
TEST(RedisServer, ClientThatDoesNotReadIsHeldBack) {
    BusServer bus;
    RedisClient client = bus.connect();
    const std::string body(100'000, 'x');
    client({"XADD", "s", "1-1", "n", body});
    constexpr int kReads = 500; // 50 MB of replies
    std::thread sender([&] {
        for (int i = 0; i < kReads; ++i)
            client.send({"XRANGE", "s", "-", "+"});
    });
    EXPECT_TRUE(eventually(bus, "hub_bus_output_bytes", [](auto bytes) { return bytes > 0; }));
    const std::string expected = R"([["1-1" ["n" ")" + body + "\"]]]";
    int same = 0;
    for (int i = 0; i < kReads; ++i)
        same += show(client.receive()) == expected ? 1 : 0;
    sender.join();
    EXPECT_EQ(same, kReads);
    EXPECT_TRUE(eventually(bus, "hub_bus_output_bytes", [](auto bytes) { return bytes == 0; }));
}

// Goal: stopping answers what was read, ends the connections, and a restart has everything.
TEST(RedisServer, StopAnswersAndRestartHasEverything) {
    BusServer bus;
    RedisClient client = bus.connect();
    RedisClient waiting = bus.connect();
    client({"XADD", "s", "1-1", "n", "1"});
    waiting.send({"XREAD", "BLOCK", "0", "STREAMS", "s", "$"});
    bus.stop();
    EXPECT_EQ(waiting.socket().receive_all(), "");
    bus.restart();
    RedisClient again = bus.connect();
    EXPECT_EQ(show(again({"XRANGE", "s", "-", "+"})), R"([["1-1" ["n" "1"]]])");
}

// Goal: Redis' own command line client works.
TEST(RedisServer, RedisCliWorks) {
    if (!std::filesystem::exists("/usr/bin/redis-cli")) GTEST_SKIP() << "redis-cli is not installed";
    const BusServer bus;
    const auto cli = [&](const Words& words) {
        Words command{"/usr/bin/redis-cli", "-p", std::to_string(bus.port())};
        command.insert(command.end(), words.begin(), words.end());
        ChildProcess process(command);
        std::string output = process.read_all();
        EXPECT_EQ(process.wait(), 0) << output;
        return output;
    };
    EXPECT_EQ(cli({"PING"}), "PONG\n");
    EXPECT_EQ(cli({"XADD", "s", "1-1", "n", "1"}), "1-1\n");
    EXPECT_EQ(cli({"--no-raw", "XRANGE", "s", "-", "+"}), "1) 1) \"1-1\"\n   2) 1) \"n\"\n      2) \"1\"\n");
    EXPECT_EQ(cli({"-3", "--no-raw", "XREAD", "STREAMS", "s", "0"}),
              "1# \"s\" => \n   1) 1) \"1-1\"\n      2) 1) \"n\"\n         2) \"1\"\n");
    EXPECT_EQ(cli({"GET"}), "ERR wrong number of arguments for 'get' command\n\n");
}

// Goal: BGSAVE leaves a copy of everything acknowledged before it, made while others go on writing; it is a journal.
TEST(RedisServer, BgsaveCopiesTheJournalWhileOthersWrite) {
    BusServer bus;
    RedisClient writer = bus.connect();
    RedisClient keeper = bus.connect();
    const std::string large(64 * 1024, 'x');
    for (int i = 1; i <= 100; ++i)
        writer({"XADD", "s", std::to_string(i) + "-1", "n", large});
    EXPECT_EQ(show(keeper({"BGSAVE"})), "+Background saving started");
    int last = 100;
    const auto saved = [&] {
        return show(keeper({"INFO", "persistence"})).find("rdb_bgsave_in_progress:0") != std::string::npos;
    };
    for (; !saved() && last < 10'000; ++last)
        writer({"XADD", "s", std::to_string(last + 1) + "-1", "n", "x"});
    EXPECT_NE(show(keeper({"INFO", "persistence"})).find("rdb_last_bgsave_status:ok"), std::string::npos);
    EXPECT_GT(last, 100) << "nothing was written while it was made";
    auto journal = SqliteJournal::open(bus.file().string() + ".save").value();
    Keyspace copy(*journal);
    ASSERT_TRUE(copy.load());
    const std::size_t entries = copy.find("s")->stream->length();
    EXPECT_GE(entries, 100u);
    EXPECT_LE(entries, static_cast<std::size_t>(last));
}

} // namespace
} // namespace flotilla::hub::redis_server_test
