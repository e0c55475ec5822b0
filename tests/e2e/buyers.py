"""Buyers that place orders while something happens to a fleet, and what must be left of what was acknowledged to them."""

import http.client
import os
import random
import threading
import time

import fleet as f

SEED = int(os.environ.get("FLOTILLA_SEED", "1"))


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

    def acknowledged(self):
        """What was acknowledged so far; later answers do not change it."""
        with self.lock:
            return Acknowledged(dict(self.users), dict(self.orders), set(self.confirmed), self.failures)


class Acknowledged:
    def __init__(self, users, orders, confirmed, failures=0):
        self.users, self.orders, self.confirmed, self.failures = users, orders, confirmed, failures


def as_placed(order):
    """What of an order never changes."""
    return {name: value for name, value in order.items() if name not in ("status", "progress", "reason")}


class AcknowledgedIsKept:
    """For test cases."""

    def check(self, fleet, buyers):
        print(f"acknowledged: {len(buyers.users)} users, {len(buyers.orders)} orders, {len(buyers.confirmed)} confirmed; "
              f"{buyers.failures} calls failed meanwhile", flush=True)
        self.assertGreater(len(buyers.confirmed), 30)
        for user in buyers.users.values():
            self.assertEqual(user, fleet.get(f"/api/users/{user['id']}").json())
        for order in buyers.orders.values():
            kept = fleet.get(f"/api/orders/{order['id']}").json()
            self.assertEqual(as_placed(order), as_placed(kept))
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
