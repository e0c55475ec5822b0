#!/usr/bin/env python3
"""npm's Redis client against the hub, in both versions of the protocol: every reply is also redis-server's."""

import json
import unittest

import servers


class NpmRedis(unittest.TestCase):
    def replies(self, server, version):
        output = servers.node("redis_client.js", server.redis_node(), version)
        return [json.loads(line) for line in output.splitlines()]

    def check(self, version):
        with servers.RedisServer() as redis, servers.Hub() as hub:
            expected = self.replies(redis, version)
            found = self.replies(hub, version)
        for theirs, ours in zip(expected, found, strict=True):
            with self.subTest(theirs["what"]):
                self.assertEqual(theirs, ours)
        reply = {each["what"]: each.get("reply") for each in found}
        self.assertEqual([f"{n}-0" for n in range(1, 7)], reply["pipelined"])
        self.assertEqual(["3-0", "4-0", "5-0"], [entry["id"] for entry in reply["autoclaim"]["messages"]])
        self.assertEqual([{"channel": "order.confirmed", "message": "two"}] + [{"channel": "order.created", "message": "one"}] * 2,
                         reply["heard"])
        self.assertEqual(7, reply["transaction"][0])
        self.assertIn("watched keys", reply["stale transaction"]["error"])

    # Goal: streams with a group, autoclaim, pipelining, blocking reads, pub/sub, leases and transactions over RESP2.
    def test_replies_are_those_of_redis_in_resp2(self):
        self.check("2")

    # Goal: the same over RESP3.
    def test_replies_are_those_of_redis_in_resp3(self):
        self.check("3")


if __name__ == "__main__":
    servers.main()
