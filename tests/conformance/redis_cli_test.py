#!/usr/bin/env python3
"""redis-cli against the hub: one script, whose every line of output is also redis-server's."""

import subprocess
import unittest

import servers

# Entry ids are given, so that both servers can only answer the same.
SCRIPT = """
PING
PING hello
ECHO "two words"
SELECT 0
SELECT 1
XADD orders 1-1 kind placed total 12.50
XADD orders 1-2 kind placed total 7
XADD orders 1-2 kind repeated
XADD orders 0-0 kind zero
XADD orders NOMKSTREAM 2-0 kind confirmed "text with spaces" "\\x00\\xff\\n"
XADD missing NOMKSTREAM 1-1 a b
XADD orders 3 a b c
XLEN orders
XLEN missing
XRANGE orders - +
XRANGE orders (1-1 + COUNT 1
XREVRANGE orders + - COUNT 2
XREAD COUNT 2 STREAMS orders 0
XREAD COUNT 2 STREAMS orders missing 1-1 0
XREAD STREAMS orders missing 0
XGROUP CREATE orders mail 0
XGROUP CREATE orders mail 0
XGROUP CREATE missing mail $
XGROUP CREATE made mail $ MKSTREAM
XREADGROUP GROUP mail ada COUNT 2 STREAMS orders >
XREADGROUP GROUP mail bob STREAMS orders >
XREADGROUP GROUP mail bob STREAMS orders >
XREADGROUP GROUP mail ada STREAMS orders 0
XREADGROUP GROUP none ada STREAMS orders >
XPENDING orders mail
XACK orders mail 1-1 9-9
XPENDING orders mail
XCLAIM orders mail bob 0 1-2 JUSTID
XAUTOCLAIM orders mail ada 0 0 COUNT 1 JUSTID
XAUTOCLAIM orders mail ada 0 1-3
XINFO GROUPS orders
XGROUP DELCONSUMER orders mail bob
XGROUP SETID orders mail 1-1
XDEL orders 1-1 9-9
XTRIM orders MAXLEN 1
XTRIM orders MAXLEN -1
XADD orders MAXLEN = 2 4-0 n 1
XSETID orders 5-0
XSETID orders 1-0
XGROUP DESTROY orders mail
XGROUP DESTROY orders mail
SET lease a NX PX 60000
SET lease b NX PX 60000
GET lease
INCRBY count 5
INCR count
DECR count
INCR lease
EXPIRE count 100
TTL count
TTL missing
PERSIST count
PEXPIRE count 0
GET count
XADD lease 1-1 a b
GET orders
TYPE orders
TYPE lease
TYPE missing
EXISTS lease orders missing
DEL lease missing
PUBLISH nobody hello
PUBSUB NUMSUB nobody
NONSENSE with arguments
XADD
GET
GET a b
KEYS ord*
DEL orders made
DBSIZE
"""


def redis_cli(server, *arguments, text=None):
    done = subprocess.run(["redis-cli", *server.redis_cli(), *arguments], input=text, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


class RedisCli(servers.OnServer):
    # Goal: whatever a person types, in either version of the protocol, the hub's answer reads as redis-server's.
    def test_script_reads_as_on_redis(self):
        with servers.RedisServer() as redis, servers.Hub() as hub:
            for version in ("-2", "-3"):
                for line in SCRIPT.strip().splitlines():
                    with self.subTest(version=version, line=line):
                        expected = redis_cli(redis, version, "--no-raw", text=line)
                        self.assertEqual(expected, redis_cli(hub, version, "--no-raw", text=line))

    # Goal: what redis-cli is told is what was asked, not merely the same on both.
    def test_stream_is_read_back(self):
        self.assertEqual("1-1\n", redis_cli(self.server, "XADD", "cli", "1-1", "name", "Ada"))
        self.assertEqual("1-1\nname\nAda\n", redis_cli(self.server, "XRANGE", "cli", "-", "+"))

    # Goal: thousands of commands in one pipe (mass insertion) are all carried out.
    def test_pipe_takes_mass_insertion(self):
        commands = "".join(f"*5\r\n$4\r\nXADD\r\n$4\r\nmass\r\n$1\r\n*\r\n$1\r\nn\r\n${len(str(n))}\r\n{n}\r\n" for n in range(5000))
        self.assertIn("errors: 0, replies: 5000", redis_cli(self.server, "--pipe", text=commands))
        self.assertEqual("5000\n", redis_cli(self.server, "XLEN", "mass"))

    # Goal: a subscriber in redis-cli prints what is published.
    def test_subscriber_prints_messages(self):
        command = ["redis-cli", *self.server.redis_cli(), "--csv", "PSUBSCRIBE", "order.*"]
        subscriber = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            self.assertIn('"psubscribe","order.*",1', subscriber.stdout.readline() + subscriber.stdout.readline())
            self.assertEqual("1\n", redis_cli(self.server, "PUBLISH", "order.created", "one"))
            self.assertIn('"pmessage","order.*","order.created","one"', subscriber.stdout.readline())
        finally:
            subscriber.kill()
            subscriber.wait()
            subscriber.stdout.close()

    # Goal: the hub looks healthy to redis-cli's own tools.
    def test_tools_of_redis_cli_work(self):
        self.assertIn("redis_version:", redis_cli(self.server, "INFO", "server"))
        self.assertIn("xadd", redis_cli(self.server, "COMMAND", "INFO", "xadd"))


if __name__ == "__main__":
    servers.main()
