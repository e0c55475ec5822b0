#!/usr/bin/env python3
"""kill -9 of each process in turn while orders are being placed: nothing acknowledged is lost."""

import http.client
import os
import random
import signal
import threading
import time
import unittest

import fleet as f

SEED = int(os.environ.get("FLOTILLA_SEED", "1"))
ROUNDS = int(os.environ.get("FLOTILLA_ROUNDS", "2"))
MEMBERS = ["hub", "user-service", "product-service", "order-service", "notification-service", "gateway"]


class Buyers:
    """Threads that create users, place orders and confirm them, and remember what was acknowledged."""

    def __init__(self, fleet, threads):
        self.fleet = fleet
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.users, self.orders, self.confirmed = {}, {}, set()
        self.failures = 0
        self.threads = [threading.Thread(target=self.buy, args=(n,)) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def try_post(self, path, body=None):
        """The parsed answer of a success; None when it failed or nobody answered (then nothing was promised)."""
        try:
            answer = self.fleet.post(path, body)
        except (OSError, http.client.HTTPException):
            answer = None
        if answer is not None and answer.status < 300:
            return answer.json()
        with self.lock:
            self.failures += 1
        time.sleep(0.01)
        return None

    def buy(self, number):
        draw = random.Random(SEED * 1000 + number)
        while not self.stop.is_set():
            email = f"buyer-{number}-{draw.getrandbits(64):x}@example.com"
            user = self.try_post("/api/users", {"email": email, "name": f"Buyer {number}"})
            if not user:
                continue
            with self.lock:
                self.users[user["id"]] = user
            for _ in range(3):
                items = [{"productId": f"p-{draw.randrange(1, 49):04}", "quantity": draw.randrange(1, 5)}]
                order = self.try_post("/api/orders", {"userId": user["id"], "items": items})
                if not order:
                    continue
                with self.lock:
                    self.orders[order["id"]] = order
                if self.try_post(f"/api/orders/{order['id']}/confirm"):
                    with self.lock:
                        self.confirmed.add(order["id"])

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def all_healthy(fleet):
    members = fleet.members()
    return set(members) == set(MEMBERS) and all(member["state"] == "ok" for member in members.values())


class KillUnderLoad(unittest.TestCase):
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

    def check(self, fleet, buyers):
        print(f"acknowledged: {len(buyers.users)} users, {len(buyers.orders)} orders, {len(buyers.confirmed)} confirmed; "
              f"{buyers.failures} calls failed meanwhile", flush=True)
        self.assertGreater(len(buyers.confirmed), 30)
        for user in buyers.users.values():
            self.assertEqual(user, fleet.get(f"/api/users/{user['id']}").json())
        for order in buyers.orders.values():
            kept = fleet.get(f"/api/orders/{order['id']}").json()
            self.assertEqual({**order, "status": kept["status"]}, kept)
            if order["id"] in buyers.confirmed:
                self.assertEqual("CONFIRMED", kept["status"])

        orders_of = {user["id"]: [] for user in buyers.users.values()}
        for order in buyers.confirmed:
            orders_of[buyers.orders[order]["userId"]].append(order)
        mails = []
        for user in buyers.users.values():
            wanted = {"Welcome aboard"} | {f"Your order {order} is confirmed" for order in orders_of[user["id"]]}
            mails += f.eventually(lambda: self.mails_with(fleet, user["email"], wanted), patience=30,
                                  what=f"the mails {wanted} to {user['email']}")
        ids = [mail["messageId"] for mail in mails]
        self.assertEqual(len(ids), len(set(ids)), "a Message-ID is kept twice")
        confirmations = [mail["subject"] for mail in mails if mail["subject"].startswith("Your order")]
        self.assertEqual(len(confirmations), len(set(confirmations)), "an order was confirmed by two different mails")

    @staticmethod
    def mails_with(fleet, address, subjects):
        """The mails to an address once they include all the subjects."""
        mails = fleet.mails(to=address)
        return mails if subjects <= {mail["subject"] for mail in mails} else None


if __name__ == "__main__":
    f.main()
