#!/usr/bin/env python3
"""kill -9 of each process in turn while orders are being placed: nothing acknowledged is lost, and where a service has a
second instance nobody notices."""

import http.client
import os
import random
import signal
import threading
import time
import unittest
import uuid

import fleet as f
from buyers import SEED, AcknowledgedIsKept, Buyers

ROUNDS = int(os.environ.get("FLOTILLA_ROUNDS", "2"))
INSTANCES = int(os.environ.get("FLOTILLA_INSTANCES", "1"))  # of each service, where the test is not about that


def instances_of(service):
    return [service] if INSTANCES == 1 else [f"{service}.{number}" for number in range(1, INSTANCES + 1)]


MEMBERS = ["hub", *(name for service in f.SERVICES for name in instances_of(service)), "gateway"]


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
        with f.Fleet(instances=INSTANCES) as fleet:
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


class IdempotentCallers:
    """Threads that create users and orders with an Idempotency-Key and read them back, each call sent once."""

    def __init__(self, fleet, threads):
        self.fleet = fleet
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.calls, self.failed = {"GET": 0, "POST": 0}, {"GET": [], "POST": []}
        self.orders = {}
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def call(self, method, path, wanted, body=None):
        """The parsed answer, or None when the call failed, which is noted."""
        headers = {"idempotency-key": str(uuid.uuid4())} if method == "POST" else None
        try:
            answer = f.call(self.fleet.port("gateway"), method, path, body, headers)
            why = None if answer.status == wanted else repr(answer)
        except (OSError, http.client.HTTPException) as error:
            why = repr(error)
        with self.lock:
            self.calls[method] += 1
            if why:
                self.failed[method].append(f"{method} {path}: {why}")
        return None if why else answer.json()

    def work(self, number):
        draw = random.Random(SEED * 1000 + number)
        while not self.stop.is_set():
            user = self.call("POST", "/api/users", 201, {"email": f"caller-{number}-{draw.getrandbits(64):x}@example.com",
                                                         "name": f"Caller {number}"})
            if not user:
                continue
            self.call("GET", f"/api/users/{user['id']}", 200)
            items = [{"productId": f"p-{draw.randrange(1, 49):04}", "quantity": 1}]
            order = self.call("POST", "/api/orders", 201, {"userId": user["id"], "items": items})
            if not order:
                continue
            with self.lock:
                self.orders[order["id"]] = user["id"]
            self.call("GET", f"/api/orders/{order['id']}", 200)
            self.call("GET", f"/api/users/{user['id']}/dashboard", 200)

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class KillOneOfTwo(unittest.TestCase):
    # Goal: with two instances of each service, no idempotent call at the gateway fails while any one instance is killed,
    # whatever it was doing; what was acknowledged is there, and each order was placed once. Replay with FLOTILLA_SEED.
    def test_nobody_notices(self):
        print(f"seed {SEED}", flush=True)
        with f.Fleet(instances=2) as fleet:
            victims = [name for name in fleet.members() if "-service." in name] * ROUNDS
            self.assertEqual(8 * ROUNDS, len(victims))
            random.Random(SEED).shuffle(victims)
            callers = IdempotentCallers(fleet, threads=8)
            try:
                for name in victims:
                    self.kill(fleet, callers, name)
            finally:
                callers.finish()
            self.check(fleet, callers)

    def kill(self, fleet, callers, name):
        before = len(callers.orders)
        f.eventually(lambda: len(callers.orders) > before + 5, what="orders flow before the kill")
        victim = fleet.members()[name]
        failures = {method: len(failed) for method, failed in callers.failed.items()}
        os.kill(victim["pid"], signal.SIGKILL)
        f.eventually(lambda: self.is_back(fleet, name, victim), patience=10, what=f"{name} is back")
        news = {method: len(failed) - failures[method] for method, failed in callers.failed.items()}
        print(f"{name}: {news['GET']} GET and {news['POST']} POST failed", flush=True)

    @staticmethod
    def is_back(fleet, name, victim):
        members = fleet.members()
        return members[name]["restarts"] > victim["restarts"] and all(m["state"] == "ok" for m in members.values())

    def check(self, fleet, callers):
        print(f"calls: {callers.calls}; failed: { {m: len(each) for m, each in callers.failed.items()} }", flush=True)
        for failure in callers.failed["GET"][:5] + callers.failed["POST"][:5]:
            print(failure, flush=True)
        self.assertGreater(callers.calls["POST"], 100)
        self.assertEqual({"GET": [], "POST": []}, callers.failed)
        for order, user in callers.orders.items():
            self.assertEqual(user, fleet.get(f"/api/orders/{order}").json()["userId"])
        for user in set(callers.orders.values()):
            placed = [order["id"] for order in fleet.get(f"/api/orders?userId={user}").json()]
            self.assertEqual(len(placed), len(set(placed)))
            self.assertLessEqual(len(placed), 1, "an order was placed twice")


if __name__ == "__main__":
    f.main()
