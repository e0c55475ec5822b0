#!/usr/bin/env python3
"""kill -9 of each process in turn while orders are being placed: nothing acknowledged is lost."""

import os
import random
import signal
import time
import unittest

import fleet as f
from buyers import SEED, AcknowledgedIsKept, Buyers

ROUNDS = int(os.environ.get("FLOTILLA_ROUNDS", "2"))
MEMBERS = ["hub", "user-service", "product-service", "order-service", "notification-service", "gateway"]


def all_healthy(fleet):
    members = fleet.members()
    return set(members) == set(MEMBERS) and all(member["state"] == "ok" for member in members.values())


class KillUnderLoad(AcknowledgedIsKept, unittest.TestCase):
    # Goal: every acknowledged user and order survives kill -9 of any process; every confirmation is mailed, once per
    # Message-ID; the fleet is healthy again within 10 s of each kill. Replay with FLOTILLA_SEED.
    def test_nothing_acknowledged_is_lost(self):
        print(f"seed {SEED}", flush=True)
        draw = random.Random(SEED)
        victims = [name for _ in range(ROUNDS) for name in draw.sample(MEMBERS, len(MEMBERS))]
        with f.Fleet() as fleet:
            buyers = Buyers(fleet, threads=8)
            try:
                for name in victims:
                    before = len(buyers.confirmed)
                    f.eventually(lambda: len(buyers.confirmed) > before + 5, what="orders flow before the kill")
                    victim = fleet.members()[name]
                    os.kill(victim["pid"], signal.SIGKILL)
                    killed = time.monotonic()
                    f.eventually(lambda: fleet.members()[name]["restarts"] > victim["restarts"] and all_healthy(fleet), patience=10,
                                 what=f"healthy again after {name} was killed")
                    print(f"{name}: healthy again after {time.monotonic() - killed:.1f} s", flush=True)
            finally:
                buyers.finish()
            self.check(fleet, buyers)


if __name__ == "__main__":
    f.main()
