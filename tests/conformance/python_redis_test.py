#!/usr/bin/env python3
"""Debian's Redis client for Python against the hub; every test also passes against redis-server."""

import concurrent.futures
import unittest

import redis

import servers


class OnRedisServer:
    """The tests, for whichever server the class below names."""

    def connect(self, **options):
        client = redis.Redis(**self.server.redis_py(), decode_responses=True, socket_timeout=20, **options)
        self.addCleanup(client.close)
        return client

    def setUp(self):
        self.redis = self.connect()
        self.key = self.id().rsplit(".", 1)[-1]

    # Goal: a group shares entries between consumers, hands them out again until acknowledged, and then no more.
    def test_group_shares_and_acknowledges(self):
        self.assertTrue(self.redis.xgroup_create(self.key, "mail", id="0", mkstream=True))
        with self.assertRaisesRegex(redis.ResponseError, "BUSYGROUP Consumer Group name already exists"):
            self.redis.xgroup_create(self.key, "mail")
        for number in range(1, 5):
            self.redis.xadd(self.key, {"n": number}, id=f"{number}-0")
        [[_, ada]] = self.redis.xreadgroup("mail", "ada", {self.key: ">"}, count=3)
        [[_, bob]] = self.redis.xreadgroup("mail", "bob", {self.key: ">"}, count=3)
        self.assertEqual([("1-0", {"n": "1"}), ("2-0", {"n": "2"}), ("3-0", {"n": "3"})], ada)
        self.assertEqual([("4-0", {"n": "4"})], bob)
        self.assertEqual([], self.redis.xreadgroup("mail", "bob", {self.key: ">"}))
        self.assertEqual(2, self.redis.xack(self.key, "mail", "1-0", "4-0", "9-0"))
        [[_, again]] = self.redis.xreadgroup("mail", "ada", {self.key: "0"})
        self.assertEqual(["2-0", "3-0"], [entry for entry, _ in again])
        self.assertEqual({"pending": 2, "min": "2-0", "max": "3-0", "consumers": [{"name": "ada", "pending": 2}]},
                         self.redis.xpending(self.key, "mail"))
        [group] = self.redis.xinfo_groups(self.key)
        self.assertEqual(("mail", 2, 2, "4-0"), tuple(group[k] for k in ("name", "consumers", "pending", "last-delivered-id")))
        self.assertEqual({"ada": 2, "bob": 0}, {c["name"]: c["pending"] for c in self.redis.xinfo_consumers(self.key, "mail")})

    # Goal: what a consumer that died had in hand is claimed by another one, counted as delivered once more.
    def test_autoclaim_takes_over(self):
        self.redis.xgroup_create(self.key, "mail", id="0", mkstream=True)
        for number in range(1, 6):
            self.redis.xadd(self.key, {"n": number}, id=f"{number}-0")
        self.redis.xreadgroup("mail", "dead", {self.key: ">"})
        self.assertEqual(["0-0", [], []], self.redis.xautoclaim(self.key, "mail", "heir", min_idle_time=3_600_000))
        self.redis.xdel(self.key, "2-0")
        following, claimed, deleted = self.redis.xautoclaim(self.key, "mail", "heir", min_idle_time=0, count=4)
        self.assertEqual(("5-0", ["1-0", "3-0", "4-0"], ["2-0"]), (following, [entry for entry, _ in claimed], deleted))
        following, claimed, _ = self.redis.xautoclaim(self.key, "mail", "heir", min_idle_time=0, start_id=following)
        self.assertEqual(("0-0", ["5-0"]), (following, [entry for entry, _ in claimed]))
        pending = self.redis.xpending_range(self.key, "mail", min="-", max="+", count=10)
        self.assertEqual([("1-0", "heir", 2), ("3-0", "heir", 2), ("4-0", "heir", 2), ("5-0", "heir", 2)],
                         [(p["message_id"], p["consumer"], p["times_delivered"]) for p in pending])

    # Goal: a reader that waits gets the entry that comes, from the first of its streams; one that waits in vain gets nothing.
    def test_blocking_read_wakes_up(self):
        other = self.connect()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(other.xread, {self.key: "$", self.key + ".other": "$"}, block=15000)
            self.wait_for_blocked()
            self.redis.xadd(self.key + ".other", {"n": 1}, id="1-0")
            self.assertEqual([[self.key + ".other", [("1-0", {"n": "1"})]]], waiting.result())
        self.assertEqual([], other.xread({self.key: "$"}, block=10))

    # Goal: of two members of a group that wait, each entry wakes one, in the order in which they came.
    def test_blocking_group_read_is_fair(self):
        self.redis.xgroup_create(self.key, "mail", id="$", mkstream=True)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = []
            for number, name in enumerate(("ada", "bob"), 1):
                waiting.append(pool.submit(self.connect().xreadgroup, "mail", name, {self.key: ">"}, block=15000))
                self.wait_for_blocked(number)
            self.redis.xadd(self.key, {"n": 1}, id="1-0")
            self.redis.xadd(self.key, {"n": 2}, id="2-0")
            self.assertEqual([["1-0"], ["2-0"]], [[entry for entry, _ in w.result()[0][1]] for w in waiting])

    # Goal: a group destroyed under its waiting reader ends the wait with an error.
    def test_destroyed_group_ends_the_wait(self):
        self.redis.xgroup_create(self.key, "mail", mkstream=True)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(self.connect().xreadgroup, "mail", "ada", {self.key: ">"}, block=15000)
            self.wait_for_blocked()
            self.redis.xgroup_destroy(self.key, "mail")
            with self.assertRaisesRegex(redis.ResponseError, "NOGROUP|consumer group this client was blocked on no longer exists"):
                waiting.result()

    # Goal: a thousand commands in one write are answered in order, the failing one included.
    def test_pipeline_is_answered_in_order(self):
        pipeline = self.redis.pipeline(transaction=False)
        for number in range(1, 501):
            pipeline.xadd(self.key, {"n": number}, id=f"{number}-0")
            pipeline.xlen(self.key)
        pipeline.get(self.key)
        pipeline.incrby(self.key + ".count", 7)
        answers = pipeline.execute(raise_on_error=False)
        self.assertEqual([x for n in range(1, 501) for x in (f"{n}-0", n)], answers[:1000])
        self.assertIsInstance(answers[1000], redis.ResponseError)
        self.assertIn("WRONGTYPE Operation against a key holding the wrong kind of value", str(answers[1000]))
        self.assertEqual(7, answers[1001])

    # Goal: a transaction is all of its commands or none; an optimistic one is tried again when somebody came between.
    def test_transactions_are_all_or_nothing(self):
        pipeline = self.redis.pipeline()
        pipeline.xadd(self.key, {"n": 1}, id="1-0")
        pipeline.incrby(self.key + ".count", 7)
        self.assertEqual(["1-0", 7], pipeline.execute())
        pipeline.incr(self.key + ".count")
        pipeline.execute_command("NONSENSE")
        with self.assertRaisesRegex(redis.ResponseError, "unknown command"):
            pipeline.execute()
        self.assertEqual("7", self.redis.get(self.key + ".count"))

        tries = []

        def double(pipe):
            count = int(pipe.get(self.key + ".count"))
            tries.append(count)
            if len(tries) == 1:
                self.connect().incr(self.key + ".count")
            pipe.multi()
            pipe.set(self.key + ".count", 2 * count)

        self.assertEqual([True], self.redis.transaction(double, self.key + ".count"))
        self.assertEqual([7, 8], tries)
        self.assertEqual("16", self.redis.get(self.key + ".count"))

    # Goal: subscribers hear their channels and patterns, in order, and nothing after they leave.
    def test_pubsub_reaches_subscribers(self):
        subscriber = self.redis.pubsub()
        self.addCleanup(subscriber.close)
        subscriber.subscribe(self.key)
        subscriber.psubscribe(self.key + ".*")
        self.assertEqual([("subscribe", 1), ("psubscribe", 2)], [self.hear(subscriber, "type", "data") for _ in range(2)])
        self.assertEqual([(self.key, 1)], self.redis.pubsub_numsub(self.key))
        self.assertEqual(1, self.redis.publish(self.key, "one"))
        self.assertEqual(1, self.redis.publish(self.key + ".created", "two"))
        self.assertEqual(0, self.redis.publish(self.key + "x", "nobody"))
        self.assertEqual(("message", None, self.key, "one"), self.hear(subscriber, "type", "pattern", "channel", "data"))
        self.assertEqual(("pmessage", self.key + ".*", self.key + ".created", "two"),
                         self.hear(subscriber, "type", "pattern", "channel", "data"))
        subscriber.ping("still here")
        self.assertEqual(("pong", "still here"), self.hear(subscriber, "type", "data"))
        subscriber.unsubscribe(self.key)
        self.assertEqual(("unsubscribe", 1), self.hear(subscriber, "type", "data"))
        self.assertEqual(0, self.redis.publish(self.key, "gone"))

    # Goal: bytes are bytes: every value of a byte, an empty value and a megabyte come back as they went.
    def test_binary_values_come_back(self):
        client = redis.Redis(**self.server.redis_py())
        self.addCleanup(client.close)
        fields = {bytes(range(256)): bytes(reversed(range(256))), b"empty": b"", b"large": b"\r\n" * 500_000}
        entry = client.xadd(self.key, fields)
        self.assertEqual([(entry, fields)], client.xrange(self.key))

    # Goal: a lease by SET NX PX is one holder's, and free again when given back or expired.
    def test_lease_has_one_holder(self):
        self.assertTrue(self.redis.set(self.key, "ada", nx=True, px=60_000))
        self.assertIsNone(self.redis.set(self.key, "bob", nx=True, px=60_000))
        self.assertTrue(59_000 < self.redis.pttl(self.key) <= 60_000)
        self.assertEqual(1, self.redis.delete(self.key))
        self.assertTrue(self.redis.set(self.key, "bob", nx=True, px=30))
        servers.eventually(lambda: self.redis.set(self.key, "ada", nx=True, px=60_000), what="the lease expires")
        self.assertEqual("ada", self.redis.get(self.key))

    # Goal: trimming keeps the newest, reading backwards starts there, and the stream says what it holds.
    def test_stream_is_trimmed(self):
        for number in range(1, 11):
            self.redis.xadd(self.key, {"n": number}, id=f"{number}-0", maxlen=5, approximate=False)
        self.assertEqual(2, self.redis.xtrim(self.key, minid="8-0", approximate=False))
        self.assertEqual(["10-0", "9-0", "8-0"], [entry for entry, _ in self.redis.xrevrange(self.key)])
        info = self.redis.xinfo_stream(self.key)
        self.assertEqual((3, "10-0", ("8-0", {"n": "8"}), ("10-0", {"n": "10"})),
                         tuple(info[k] for k in ("length", "last-generated-id", "first-entry", "last-entry")))

    def hear(self, subscriber, *names):
        message = subscriber.get_message(timeout=15)
        return tuple(message[name] for name in names)

    def wait_for_blocked(self, count=1):
        """Both servers say how many clients wait; a wait seen so is a wait in place."""
        servers.eventually(lambda: int(self.redis.info("clients")["blocked_clients"]) == count, what="the reader waits")


class PythonOnHub(OnRedisServer, servers.OnServer):
    # Goal: what was acknowledged is there after kill -9: entries, the group's place and what is pending.
    def test_acknowledged_entries_survive_a_kill(self):
        with servers.Hub() as hub:
            client = redis.Redis(**hub.redis_py(), decode_responses=True)
            client.xgroup_create("orders", "mail", id="0", mkstream=True)
            ids = [client.xadd("orders", {"n": n}) for n in range(20)]
            client.xreadgroup("mail", "ada", {"orders": ">"}, count=5)
            client.xack("orders", "mail", *ids[:2])
            client.close()
            hub.restart()
            client = redis.Redis(**hub.redis_py(), decode_responses=True)
            self.addCleanup(client.close)
            self.assertEqual(ids, [entry for entry, _ in client.xrange("orders")])
            self.assertEqual(ids[2:5], [p["message_id"] for p in client.xpending_range("orders", "mail", "-", "+", 10)])
            [[_, rest]] = client.xreadgroup("mail", "bob", {"orders": ">"})
            self.assertEqual(ids[5:], [entry for entry, _ in rest])


class PythonOnRedis(OnRedisServer, servers.OnServer):
    Server = servers.RedisServer


if __name__ == "__main__":
    servers.main()
