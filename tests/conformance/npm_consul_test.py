#!/usr/bin/env python3
"""npm's Consul client against the hub."""

import unittest

import servers


class NpmConsul(unittest.TestCase):
    # Goal: services with TTL, watches of services and keys, compare-and-set, locks by session, the catalogue, filters and
    # transactions work for a Node program.
    def test_script_finds_everything_as_it_should_be(self):
        with servers.Hub() as hub:
            self.assertEqual("", servers.node("consul_client.js", str(hub.ports["http"])))


if __name__ == "__main__":
    servers.main()
