#include <flotilla/bus/redis/resp.hpp>

#include <gtest/gtest.h>

namespace flotilla::resp::resp_test {
namespace {

using Words = std::vector<std::string>;

std::vector<Value> parse_all(Parser& parser, std::string_view bytes, std::size_t piece) {
    std::vector<Value> values;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        parser.feed(bytes.substr(at, piece));
        for (;;) {
            auto value = parser.next();
            if (!value) ADD_FAILURE() << value.error().message();
            if (!value || !*value) break;
            values.push_back(std::move(**value));
        }
    }
    return values;
}

std::vector<Words> commands_of(std::string_view bytes, std::size_t piece) {
    CommandParser parser;
    std::vector<Words> commands;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        parser.feed(bytes.substr(at, piece));
        for (;;) {
            auto command = parser.next();
            if (!command) ADD_FAILURE() << command.error().message();
            if (!command || !*command) break;
            commands.emplace_back((*command)->begin(), (*command)->end());
        }
    }
    return commands;
}

std::string command_error(std::string_view bytes, Limits limits = {}) {
    CommandParser parser(limits);
    parser.feed(bytes);
    auto command = parser.next();
    return command ? "" : command.error().message();
}

std::string reply_error(std::string_view bytes, Limits limits = {}) {
    Parser parser(limits);
    parser.feed(bytes);
    auto value = parser.next();
    return value ? "" : value.error().message();
}

// Goal: every reply type of both protocols arrives whole, however the bytes are cut.
TEST(RespParser, RepliesCutAnywhereGiveTheSameValues) {
    const std::string bytes = "+OK\r\n-ERR no\r\n:-42\r\n$5\r\na\r\nb\x01\r\n$-1\r\n*-1\r\n*0\r\n"
                              "*2\r\n*1\r\n:1\r\n$0\r\n\r\n_\r\n#t\r\n,3.25\r\n(123456789012345678901234567890\r\n"
                              "!7\r\nERR bad\r\n=6\r\ntxt:hi\r\n%1\r\n+k\r\n:7\r\n~1\r\n:9\r\n>2\r\n+message\r\n+x\r\n"
                              "|1\r\n+ttl\r\n:3600\r\n:5\r\n";
    Parser whole;
    const auto expected = parse_all(whole, bytes, bytes.size());
    ASSERT_EQ(expected.size(), 18u);
    EXPECT_EQ(expected[0].text, "OK");
    EXPECT_TRUE(expected[1].is_error());
    EXPECT_EQ(expected[2].integer, -42);
    EXPECT_EQ(expected[3].text, std::string("a\r\nb\x01"));
    EXPECT_TRUE(expected[4].is_null());
    EXPECT_TRUE(expected[5].is_null());
    EXPECT_EQ(expected[6].type, Value::Type::array);
    EXPECT_EQ(expected[7].items.at(0).items.at(0).integer, 1);
    EXPECT_TRUE(expected[8].is_null());
    EXPECT_EQ(expected[9].integer, 1);
    EXPECT_EQ(expected[10].text, "3.25");
    EXPECT_EQ(expected[12].text, "ERR bad");
    EXPECT_EQ(expected[13].text, "hi");
    EXPECT_EQ(expected[14].type, Value::Type::map);
    EXPECT_EQ(expected[16].type, Value::Type::push);
    EXPECT_EQ(expected[17].integer, 5) << "an attribute precedes its value and is dropped";
    for (std::size_t piece = 1; piece < 9; ++piece) {
        Parser cut;
        EXPECT_EQ(parse_all(cut, bytes, piece), expected) << "pieces of " << piece;
        EXPECT_EQ(cut.pending(), 0u);
    }
}

// Goal: what is not RESP, or over a bound, is refused instead of guessed or stored.
TEST(RespParser, BadOrHugeRepliesAreRefused) {
    EXPECT_NE(reply_error("?what\r\n"), "");
    EXPECT_NE(reply_error(":1x\r\n"), "");
    EXPECT_NE(reply_error("$-2\r\n"), "");
    EXPECT_NE(reply_error("$1\r\nabc\r\n"), "");
    EXPECT_NE(reply_error("%-1\r\n"), "");
    EXPECT_NE(reply_error("#x\r\n"), "");
    EXPECT_NE(reply_error("$11\r\n", {.bulk_bytes_max = 10}), "");
    EXPECT_NE(reply_error("*11\r\n", {.items_max = 10}), "");
    EXPECT_NE(reply_error("*1\r\n*1\r\n*1\r\n", {.depth_max = 2}), "");
    EXPECT_NE(reply_error("+" + std::string(100, 'x'), {.line_bytes_max = 50}), "");
    EXPECT_NE(reply_error("*2\r\n$6\r\n123456\r\n$6\r\n123456\r\n", {.message_bytes_max = 20}), "");
}

// Goal: the longest line is taken and one more byte is refused, however the bytes are cut.
TEST(RespParser, LineBoundDoesNotDependOnCuts) {
    const Limits limits{.line_bytes_max = 10};
    for (const std::size_t size : {9, 10, 11}) { // with its marker
        const std::string bytes = "+" + std::string(size - 1, 'x') + "\r\n";
        for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
            Parser parser(limits);
            bool refused = false;
            for (std::size_t at = 0; at < bytes.size() && !refused; at += piece) {
                parser.feed(std::string_view(bytes).substr(at, piece));
                refused = !parser.next();
            }
            EXPECT_EQ(refused, size > 10) << size << " in pieces of " << piece;
        }
    }
}

// Goal: the same of commands, where Redis bounds only what is incomplete.
TEST(RespCommandParser, LineBoundDoesNotDependOnCuts) {
    const Limits limits{.line_bytes_max = 10};
    for (const std::string line : {"*0000000001", "*000000001"}) {
        for (const std::string& bytes :
             {line + "\r\n$4\r\nPING\r\n", "*1\r\n$" + line.substr(1) + "\r\nx\r\n", "PING " + line.substr(5) + "\n"}) {
            for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
                CommandParser parser(limits);
                std::size_t commands = 0;
                bool refused = false;
                for (std::size_t at = 0; at < bytes.size() && !refused; at += piece) {
                    parser.feed(std::string_view(bytes).substr(at, piece));
                    auto next = parser.next();
                    refused = !next;
                    commands += next && *next ? 1 : 0;
                }
                EXPECT_EQ(refused, line.size() > 10) << bytes << " in pieces of " << piece;
                EXPECT_EQ(commands, refused ? 0u : 1u) << bytes;
            }
        }
    }
}

// Goal: pipelined arrays and inline commands are told apart, however the bytes are cut.
TEST(RespCommandParser, PipelinedCommandsCutAnywhereAreTheSame) {
    const std::string bytes = "*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\nPING\r\n\r\n*0\r\n*-1\r\n"
                              "SET k \"a b\\x41\\n\" 'it\\'s'\n*1\r\n$4\r\nPING\r\n";
    const std::vector<Words> expected{{"ECHO", "\r\n\r\n"}, {"PING"}, {"SET", "k", "a bA\n", "it's"}, {"PING"}};
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
        EXPECT_EQ(commands_of(bytes, piece), expected) << piece;
}

// Goal: protocol errors are worded as Redis words them.
TEST(RespCommandParser, BadFramingIsRefusedInRedisWords) {
    EXPECT_EQ(command_error("*x\r\n"), "Protocol error: invalid multibulk length");
    EXPECT_EQ(command_error("*2000000\r\n"), "Protocol error: invalid multibulk length");
    EXPECT_EQ(command_error("*1\r\n:1\r\n"), "Protocol error: expected '$', got ':'");
    EXPECT_EQ(command_error("*1\r\n$-1\r\n"), "Protocol error: invalid bulk length");
    EXPECT_EQ(command_error("*1\r\n$999999999999\r\n"), "Protocol error: invalid bulk length");
    EXPECT_EQ(command_error("SET \"a\r\n"), "Protocol error: unbalanced quotes in request");
    EXPECT_EQ(command_error(std::string(70000, 'a')), "Protocol error: too big inline request");
    EXPECT_EQ(command_error("*" + std::string(70000, '1')), "Protocol error: too big mbulk count string");
    EXPECT_EQ(command_error("*1\rx$4\r\nPING\r\n"), "Protocol error: expected LF after CR");
    EXPECT_EQ(command_error("*1\r\n$4\rxPING\r\n"), "Protocol error: expected LF after CR");
    EXPECT_NE(command_error("*2\r\n$6\r\n123456\r\n$6\r\n123456\r\n", {.message_bytes_max = 20}), "");
}

// Goal: what the writer writes, the parsers read.
TEST(RespWriters, WrittenCommandsAndRepliesReadBack) {
    std::string bytes;
    write_command(bytes, {"XADD", "k", "*", ""});
    write_command(bytes, std::vector<std::string>{"PING"});
    EXPECT_EQ(bytes, "*4\r\n$4\r\nXADD\r\n$1\r\nk\r\n$1\r\n*\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n");
    std::string replies;
    write_simple(replies, "OK");
    write_error(replies, "ERR a\r\nb");
    write_integer(replies, INT64_MIN);
    write_bulk(replies, "x");
    write_null(replies, 2);
    write_null(replies, 3);
    write_null_array(replies, 2);
    write_map(replies, 1, 2);
    write_map(replies, 1, 3);
    write_push(replies, 3, 3);
    write_push(replies, 3, 2);
    EXPECT_EQ(replies,
              "+OK\r\n-ERR a  b\r\n:-9223372036854775808\r\n$1\r\nx\r\n$-1\r\n_\r\n*-1\r\n*2\r\n%1\r\n>3\r\n*3\r\n");
}

} // namespace
} // namespace flotilla::resp::resp_test
