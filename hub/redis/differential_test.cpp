#include <filesystem>
#include <random>

#include <gtest/gtest.h>

#include "hub/testing/bus_server.hpp"
#include "hub/testing/child_process.hpp"

// The same random commands go to our bus and to Debian's redis-server; every reply must be the same.

namespace flotilla::hub::differential_test {
namespace {

constexpr auto kRedisServer = "/usr/bin/redis-server";

/// Debian's Redis on a Unix socket in a folder of its own.
class RealRedis {
public:
    RealRedis()
        : process_({kRedisServer, "--port", "0", "--unixsocket", (folder_ / "redis.sock").string(), "--save", "",
                    "--dir", folder_.path().string()}) {
        process_.wait_for_line("eady to accept connections");
    }
    RedisClient connect() const { return RedisClient(dial()); }
    SocketClient dial() const { return SocketClient::unix_socket((folder_ / "redis.sock").string()); }

private:
    TemporaryFolder folder_;
    ChildProcess process_;
};

/// Random commands: mostly sensible ones over few keys, groups and ids, so that they meet; some malformed.
class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    /// For streams of many blocks: mostly new entries, trimmed and removed now and then.
    Words next_of_many() {
        switch (pick(40)) {
        case 0:
            return xtrim({"XTRIM", "s"}, 300);
        case 1:
            return {"XDEL", "s", recent_id(), recent_id(), recent_id()};
        case 2:
            return {"XINFO", "STREAM", "s", "FULL", "COUNT", "2"};
        case 3:
            return {"XRANGE", "s", recent_id(), recent_id()};
        case 4:
            return {"XREVRANGE", "s", "+", recent_id(), "COUNT", "7"};
        case 5:
            return {"XREADGROUP", "GROUP", "g", consumer(), "COUNT", "150", "STREAMS", "s", ">"};
        case 6:
            return {"XAUTOCLAIM", "s", "g", consumer(), "0", recent_id(), "COUNT", "3"};
        case 7:
            return {"XACK", "s", "g", recent_id(), recent_id()};
        case 8:
            return {"XINFO", "GROUPS", "s"};
        case 9:
            return pick(20) ? Words{"XLEN", "s"} : Words{"XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"};
        default:
            return {"XADD", "s", std::to_string(++clock_) + "-1", "f", std::to_string(pick(100))};
        }
    }
    /// As next(), with transactions around some of them; only what is inside may ask to wait.
    Words next_with_transactions() {
        switch (pick(24)) {
        case 0:
        case 1:
        case 2:
            in_transaction_ = true;
            return {"MULTI"};
        case 3:
        case 4:
            in_transaction_ = false;
            return {"EXEC"};
        case 5:
            in_transaction_ = false;
            return pick(4) ? Words{pick({"DISCARD", "EXEC", "RESET"})} : Words{"EXEC", "x"};
        case 6:
            return {"WATCH", pick({"s", "t", "text", "n", "none"}), stream()};
        case 7:
            return pick(4) ? Words{"WATCH", stream()} : Words{"UNWATCH"};
        case 8:
            if (!in_transaction_) return next();
            return {"XREAD", "BLOCK", pick({"0", "5"}), "STREAMS", stream(), pick({"0-0", "$", id()})};
        case 9:
            if (!in_transaction_) return next();
            return {"XREADGROUP", "GROUP", group(), consumer(), "BLOCK", "0", "STREAMS", stream(), pick({">", "0"})};
        default:
            return next();
        }
    }
    Words next() {
        switch (pick(26)) {
        case 0:
            return {"XGROUP",
                    "CREATE",
                    stream(),
                    group(),
                    pick({"0", "$", id(), "bad"}),
                    pick({"MKSTREAM", "MKSTREAM", "mkstream"})};
        case 1:
            return xgroup();
        case 2:
        case 3:
        case 4:
            return xreadgroup();
        case 5:
            return with_ids({"XACK", stream(), group()});
        case 6:
            return xpending();
        case 7:
            return xclaim();
        case 8:
            return xautoclaim();
        case 9:
            return with_ids({"XDEL", stream()});
        case 10:
            return xtrim({"XTRIM", stream()});
        case 11:
            return xread();
        case 12:
            return range();
        case 13:
            return {"XINFO", "GROUPS", stream()};
        case 14:
            return pick(2) ? Words{"XINFO", "CONSUMERS", stream(), group()} : Words{"XINFO", "STREAM", stream()};
        case 15:
            return {"XINFO", "STREAM", stream(), "FULL", "COUNT", number()};
        case 16:
            return xsetid();
        case 17:
            return strings();
        case 18:
            return keys();
        case 19:
            return malformed();
        default:
            return xadd();
        }
    }
    int pick(int count) { return static_cast<int>(random_() % static_cast<std::uint64_t>(count)); }

private:
    std::string pick(std::vector<std::string> choices) {
        return choices[static_cast<std::size_t>(pick(static_cast<int>(choices.size())))];
    }
    std::string stream() { return pick({"s", "s", "s", "t", "u", "text"}); }
    std::string group() { return pick({"g", "g", "h", "none"}); }
    std::string consumer() { return pick({"alice", "bob", "carol"}); }
    std::string number() { return pick({"0", "1", "2", "3", "7", "-1", "20", "x"}); }
    /// Hardly ever the same twice, so that GT and LT do not hang on milliseconds.
    std::string seconds() { return std::to_string(1000 + pick(100'000)); }
    std::string id() {
        const std::string ms = std::to_string(pick(pick(3) ? clock_ + 2 : 60));
        return pick({ms + "-" + std::to_string(pick(3)), ms + "-1", ms, ms + "-0"});
    }
    std::string later_id() {
        clock_ += pick(3);
        return pick({std::to_string(clock_) + "-*", std::to_string(clock_) + "-" + std::to_string(pick(4)), id()});
    }
    std::string edge() { return pick({"-", "+", id(), "(" + id(), "(" + id(), id(), "(", "(-", "bad"}); }
    std::string start() { return pick(4) ? pick({"-", id(), "(" + id()}) : edge(); }
    std::string end() { return pick(4) ? pick({"+", id(), "(" + id()}) : edge(); }
    /// Upper, lower or mixed case.
    std::string spelled(std::string name) {
        if (pick(4) == 0) std::ranges::transform(name, name.begin(), ::tolower);
        return name;
    }

    Words with_ids(Words command) {
        for (int i = 1 + pick(4); i > 0; --i)
            command.push_back(pick(30) ? id() : "bad");
        return command;
    }
    std::string recent_id() { return std::to_string(std::max(0, clock_ - pick(400))) + "-1"; }
    Words xtrim(Words command, int length_max = 0) {
        if (pick(10) == 0) command.insert(command.end(), {"LIMIT", number()});
        const bool by_length = pick(2) == 0;
        command.push_back(spelled(by_length ? "MAXLEN" : "MINID"));
        const int mark = pick(3);
        if (mark) command.push_back(mark == 1 ? "~" : "=");
        const std::string threshold =
            length_max ? (by_length ? std::to_string(pick(length_max)) : recent_id()) : (by_length ? number() : id());
        command.push_back(threshold);
        if (pick(5) == 0) command.insert(command.end(), {"LIMIT", number()});
        if (pick(30) == 0) command.insert(command.end(), {"MINID", id()});
        return command;
    }
    Words xadd() {
        Words command{"XADD", stream()};
        if (pick(8) == 0) command.push_back("NOMKSTREAM");
        if (pick(8) == 0) command = xtrim(command);
        command.push_back(later_id());
        for (int i = 1 + pick(2); i > 0; --i)
            command.insert(command.end(), {pick({"f", "g"}), std::to_string(pick(100))});
        if (pick(40) == 0) command.pop_back();
        return command;
    }
    Words xgroup() {
        switch (pick(6)) {
        case 0:
            return {"XGROUP", "CREATECONSUMER", stream(), group(), consumer()};
        case 1:
            return {"XGROUP", "DELCONSUMER", stream(), group(), consumer()};
        case 2:
            return {"XGROUP", "DESTROY", stream(), group()};
        case 3:
            return {"XGROUP", "SETID", stream(), group(), pick({"0", "$", id(), "-", "+"}), "ENTRIESREAD", number()};
        case 4:
            return {"XGROUP", "CREATE", stream(), group(), id(), "ENTRIESREAD", number(), "MKSTREAM"};
        default:
            return {"XGROUP", "SETID", stream(), group(), pick({"0", "$", id()})};
        }
    }
    Words xreadgroup() {
        Words command{"XREADGROUP", "GROUP", group(), consumer()};
        if (pick(2)) command.insert(command.end(), {"COUNT", number()});
        if (pick(6) == 0) command.push_back(spelled("NOACK"));
        command.push_back(spelled("STREAMS"));
        const bool two = pick(5) == 0;
        command.push_back(stream());
        if (two) command.push_back(stream());
        for (int i = two ? 2 : 1; i > 0; --i)
            command.push_back(pick({">", ">", ">", "0", id(), "$"}));
        return command;
    }
    Words xread() {
        Words command{"XREAD"};
        if (pick(2)) command.insert(command.end(), {"COUNT", number()});
        command.push_back("STREAMS");
        const bool two = pick(3) == 0;
        command.push_back(stream());
        if (two) command.push_back(stream());
        for (int i = two ? 2 : 1; i > 0; --i)
            command.push_back(pick({"0", id(), "$", ">"}));
        if (pick(30) == 0) command.pop_back();
        return command;
    }
    Words range() {
        Words command =
            pick(2) ? Words{"XRANGE", stream(), start(), end()} : Words{"XREVRANGE", stream(), end(), start()};
        if (pick(2)) command.insert(command.end(), {"COUNT", number()});
        return command;
    }
    Words xpending() {
        Words command{"XPENDING", stream(), group()};
        if (pick(2)) return command;
        if (pick(4) == 0) command.insert(command.end(), {"IDLE", pick({"0", "1000000", "x"})});
        command.insert(command.end(), {start(), end(), number()});
        if (pick(2)) command.push_back(consumer());
        return command;
    }
    Words xclaim() {
        Words command = with_ids({"XCLAIM", stream(), group(), consumer(), pick({"0", "0", "-5", "1000000", "x"})});
        if (pick(3) == 0) command.push_back("FORCE");
        if (pick(3) == 0) command.push_back(spelled("JUSTID"));
        if (pick(3) == 0) command.insert(command.end(), {"RETRYCOUNT", number()});
        if (pick(6) == 0) command.insert(command.end(), {"LASTID", id()});
        if (pick(6) == 0) command.insert(command.end(), {"IDLE", number()});
        if (pick(30) == 0) command.push_back("BOGUS");
        return command;
    }
    Words xautoclaim() {
        Words command{"XAUTOCLAIM", stream(), group(), consumer(), pick({"0", "0", "1000000"}), start()};
        if (pick(2)) command.insert(command.end(), {"COUNT", number()});
        if (pick(3) == 0) command.push_back("JUSTID");
        return command;
    }
    Words xsetid() {
        Words command{"XSETID", stream(), id()};
        if (pick(2)) command.insert(command.end(), {"ENTRIESADDED", number()});
        if (pick(3) == 0) command.insert(command.end(), {"MAXDELETEDID", id()});
        return command;
    }
    Words strings() {
        switch (pick(8)) {
        case 0:
            return {"SET", "text", number(), pick({"NX", "XX", "GET", "KEEPTTL", "BOGUS"})};
        case 1:
            return {"SET", pick({"text", "n"}), number(), pick({"EX", "PX"}), pick({"1000000", "0", "x"})};
        case 2:
            return {"INCRBY", pick({"text", "n", "s"}), number()};
        case 3:
            return {"INCR", pick({"n", "n", "s"})};
        case 4:
            return {"GET", pick({"text", "n", "s"})};
        case 5:
            return {"DECRBY", "n", number()};
        case 6:
            return {"SET", "n", number(), "NX", "EX", "1000", "GET"};
        default:
            return {"SET", "text", number()};
        }
    }
    Words keys() {
        switch (pick(9)) {
        case 0:
            return {"TYPE", stream()};
        case 1:
            return {"EXISTS", "s", "s", "text", "none"};
        case 2:
            return {"KEYS", pick({"*", "?", "t*", "[st]", "[^s]", "[a-s]*", "\\s", "x"})};
        case 3:
            return {"EXPIRE", pick({"n", "text", "u", "none"}), pick({seconds(), seconds(), "0", "-1", "x"}),
                    pick({"NX", "XX", "GT", "LT", "BOGUS"})};
        case 4:
            return {"TTL", pick({"n", "text", "none"})};
        case 5:
            return {"PERSIST", pick({"n", "text", "none"})};
        case 6:
            return {"DEL", pick({"u", "none", "text"}), pick({"t", "n"})};
        case 7:
            return {"DBSIZE"};
        default:
            return {"XLEN", stream()};
        }
    }
    Words malformed() {
        return std::vector<Words>{{"XADD", "s"},
                                  {"XGROUP"},
                                  {"XGROUP", "NONSENSE", "s", "g"},
                                  {"XGROUP", "CREATE", "s"},
                                  {"NONSENSE", "a", "b\r\nc"},
                                  {"XINFO", "STREAM"},
                                  {"XINFO", "STREAM", "s", "FULL", "COUNT"},
                                  {"XREAD", "STREAMS", "s"},
                                  {"XREADGROUP", "STREAMS", "s", ">", "x", "y", "z", "0"},
                                  {"XACK", "s", "g"},
                                  {"XPENDING", "s", "g", "-", "+"},
                                  {"PING", "a", "b"},
                                  {"ECHO", "hello"},
                                  {"PING"},
                                  {"SELECT", "x"},
                                  {"SELECT", "0"},
                                  {"SELECT", "99"},
                                  {"AUTH", "secret"},
                                  {"AUTH", "someone", "secret"},
                                  {"CLIENT", "GETNAME"},
                                  {"CLIENT", "SETNAME", "a b"},
                                  {"CLIENT", "NONSENSE"},
                                  {"HELLO", "4"},
                                  {"HELLO", "x"},
                                  {"PUBSUB", "NUMSUB", "a", "b"},
                                  {"PUBSUB", "CHANNELS"},
                                  {"PUBSUB", "NUMPAT"},
                                  {"PUBLISH", "nobody", "hears"}}[static_cast<std::size_t>(pick(28))];
    }

    std::mt19937_64 random_;
    int clock_ = 1;
    bool in_transaction_ = false;
};

/// Removes what depends on the time or on Redis' memory layout.
void normalise(const Words& command, resp::Value& value) {
    using Type = resp::Value::Type;
    if (value.type == Type::integer && value.integer > 1'000'000'000'000) value.integer = 0; // a wall clock
    for (std::size_t i = 0; i < value.items.size(); ++i) {
        normalise(command, value.items[i]);
        const std::string name = i > 0 ? value.items[i - 1].text : "";
        const bool named = name == "idle" || name == "radix-tree-nodes";
        if (named && value.items[i].type == Type::integer) value.items[i].integer = 0;
    }
    const bool pending_row =
        command[0] == "XPENDING" && value.items.size() == 4 && value.items[2].type == Type::integer;
    if (pending_row) value.items[2].integer = 0;
    if (command[0] == "KEYS") std::ranges::sort(value.items, {}, &resp::Value::text);
}

std::string spell(const Words& command) {
    std::string text;
    for (const std::string& word : command)
        text += (text.empty() ? "" : " ") + word;
    return text;
}

/// Runs one sequence against both; false, with the story, when a reply differs.
bool same_replies(RedisClient& ours, RedisClient& theirs, std::uint64_t seed, int length, Words (Generator::*next)()) {
    Generator generator(seed);
    std::vector<Words> commands{{"HELLO", generator.pick(2) ? "3" : "2"}, {"DEL", "s", "t", "u", "text", "n"}};
    for (int i = 0; i < length; ++i)
        commands.push_back((generator.*next)());
    for (const Words& command : commands) {
        ours.send(command);
        theirs.send(command);
    }
    std::string story;
    std::vector<Words> queued;
    for (std::size_t i = 0; i < commands.size(); ++i) {
        auto our_reply = ours.receive();
        auto their_reply = theirs.receive();
        if (i < 2) continue; // HELLO's ids, and how many keys the sequence before left
        for (auto* reply : {&our_reply, &their_reply}) {
            normalise(commands[i], *reply);
            if (commands[i][0] != "EXEC" || reply->items.size() != queued.size()) continue;
            for (std::size_t at = 0; at < queued.size(); ++at)
                normalise(queued[at], reply->items[at]);
        }
        const std::string& name = commands[i][0];
        if (name == "EXEC" || name == "DISCARD" || name == "RESET") queued.clear();
        if (their_reply.text == "QUEUED") queued.push_back(commands[i]);
        story += spell(commands[i]) + "\n    " + show(their_reply) + "\n";
        if (our_reply == their_reply) continue;
        ADD_FAILURE() << "seed " << seed << ", command " << i << "\n" << story << "ours:\n    " << show(our_reply);
        return false;
    }
    return true;
}

// Goal: over two thousand random sequences of stream, group and key commands no reply differs from Redis'.
TEST(BusDifferential, RandomSequencesGiveTheRepliesOfRedis) {
    if (!std::filesystem::exists(kRedisServer)) GTEST_SKIP() << kRedisServer << " is not installed";
    const BusServer bus;
    const RealRedis redis;
    RedisClient ours = bus.connect();
    RedisClient theirs = redis.connect();
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        if (!same_replies(ours, theirs, seed, 60, &Generator::next)) break;
    }
}

// Goal: transactions are queued, refused, run and given up as Redis does it, whatever they hold.
TEST(BusDifferential, TransactionsGiveTheRepliesOfRedis) {
    if (!std::filesystem::exists(kRedisServer)) GTEST_SKIP() << kRedisServer << " is not installed";
    const BusServer bus;
    const RealRedis redis;
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        RedisClient ours = bus.connect(); // a new one: the sequence before may have left a transaction open
        RedisClient theirs = redis.connect();
        if (!same_replies(ours, theirs, seed, 60, &Generator::next_with_transactions)) break;
    }
}

// Goal: a client that speaks HTTP is cut off where Redis does it, whatever stands before; nothing behind is executed.
TEST(BusDifferential, HttpIsCutOffWhereRedisDoesIt) {
    if (!std::filesystem::exists(kRedisServer)) GTEST_SKIP() << kRedisServer << " is not installed";
    const BusServer bus;
    const RealRedis redis;
    RedisClient ours = bus.connect();
    RedisClient theirs = redis.connect();
    for (const std::string_view beginning :
         {"POST / HTTP/1.1\r\n", "\r\npOsT\r\n", "Host: x\r\n", "HOST:\r\n", "GET / HTTP/1.1\r\nHost: x\r\n",
          "PING\r\nPOST\r\n", "SET before 1\r\nhost: x\r\n", "MULTI\r\nPOST\r\n", "\"POST\" /\r\n",
          "*1\r\n$4\r\nPOST\r\n", "*2\r\n$5\r\nHost:\r\n$1\r\nx\r\n", "SUBSCRIBE c\r\nPOST\r\n", "Host:x\r\n",
          "POSTS\r\n", "ECHO POST\r\n", "PUT / HTTP/1.1\r\n"}) {
        const std::string bytes = std::string(beginning) + "SET owned 1\r\nQUIT\r\n";
        SocketClient our_page = SocketClient::tcp(bus.port());
        SocketClient their_page = redis.dial();
        our_page.send(bytes);
        their_page.send(bytes);
        EXPECT_EQ(our_page.receive_all(), their_page.receive_all()) << beginning;
        for (const std::string key : {"owned", "before"})
            EXPECT_EQ(show(ours({"DEL", key})), show(theirs({"DEL", key}))) << key << " after " << beginning;
    }
}

// Goal: the same holds for long streams, whose approximate trimming hangs on where Redis' blocks end.
TEST(BusDifferential, LongStreamsGiveTheRepliesOfRedis) {
    if (!std::filesystem::exists(kRedisServer)) GTEST_SKIP() << kRedisServer << " is not installed";
    const BusServer bus;
    const RealRedis redis;
    RedisClient ours = bus.connect();
    RedisClient theirs = redis.connect();
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        if (!same_replies(ours, theirs, seed, 2000, &Generator::next_of_many)) break;
    }
}

} // namespace
} // namespace flotilla::hub::differential_test
