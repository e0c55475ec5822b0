#!/usr/bin/env python3
"""Orders of all sorts while anything is killed: each ends confirmed or cancelled, and money, stock, mails and the ledger
agree with how. Replay with FLOTILLA_SEED; FLOTILLA_SEEDS=N runs that many."""

import concurrent.futures
import http.client
import os
import random
import signal
import threading
import time
import unittest
import uuid

import fleet as f

SEED = int(os.environ.get("FLOTILLA_SEED", "1"))
SEEDS = int(os.environ.get("FLOTILLA_SEEDS", "1"))
KILLS = int(os.environ.get("FLOTILLA_KILLS", "6"))
MEMBERS = ["hub", *f.SERVICES, "gateway"]
STOCK = 40  # pieces of each product: some orders find none left
PRODUCTS = [f"p-{number:04}" for number in range(1, 9)]
# How an order is paid and where it goes, and how often.
WAYS = [({}, 6), ({"paymentMethod": "card_twice"}, 2), ({"paymentMethod": "card_flaky"}, 1),
        ({"paymentMethod": "card_lost_answer"}, 1), ({"paymentMethod": "card_declined"}, 1),
        ({"address": {"country": "AQ"}}, 1), ({"address": {"country": "XT"}}, 1)]


class Customers:
    """Threads that place orders, each repeated with its key until it is answered, and cancel some of them."""

    def __init__(self, fleet, seed, threads):
        self.fleet = fleet
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.orders = {}  # by id: (address, items)
        self.threads = [threading.Thread(target=self.shop, args=(random.Random(seed * 1000 + number), number))
                        for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def post(self, path, body, refused=()):
        """The answer of a success or a refusal of those; what else comes is asked again under the same key."""
        headers = {"idempotency-key": str(uuid.uuid4())}
        while not self.stop.is_set():
            try:
                answer = self.fleet.post(path, body, headers)
                if answer.status < 300 or answer.status in refused:
                    return answer.json()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        return {}

    def shop(self, draw, number):
        address = f"customer-{number}-{draw.getrandbits(64):x}@example.com"
        user = self.post("/api/users", {"email": address, "name": f"Customer {number}"}).get("id")
        while not self.stop.is_set():
            items = [{"productId": product, "quantity": draw.randrange(1, 4)}
                     for product in draw.sample(PRODUCTS, draw.randrange(1, 3))]
            way = draw.choices([way for way, _ in WAYS], [often for _, often in WAYS])[0]
            order = self.post("/api/orders", {"userId": user, "items": items, **way}, refused=(400,)).get("id")
            if not order:
                time.sleep(0.05)  # sold out
                continue
            with self.lock:
                self.orders[order] = (address, items)
            if draw.random() < 0.1:
                self.post(f"/api/orders/{order}/cancel", {}, refused=(409,))

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class OrdersSurvive(unittest.TestCase):
    # Goal: whatever is killed, and however the participants behave, an order is confirmed and charged, or cancelled and
    # nothing is left of it; nothing happens twice.
    def test_every_order_ends_and_everything_agrees(self):
        for seed in range(SEED, SEED + SEEDS):
            with self.subTest(seed=seed):
                self.run_seed(seed)

    def run_seed(self, seed):
        print(f"seed {seed}", flush=True)
        draw = random.Random(seed)
        os.environ["FLOTILLA_SET_INITIAL_STOCK"] = str(STOCK)
        with f.Fleet() as fleet:
            f.eventually(lambda: all(f.call(fleet.port("inventory-service"), "GET", f"/stock/{product}").status == 200
                                     for product in PRODUCTS), what="there is stock")
            customers = Customers(fleet, seed, threads=6)
            try:
                for _ in range(KILLS):
                    time.sleep(draw.uniform(0.05, 0.8))  # in the midst of whatever
                    self.kill(fleet, draw)
            finally:
                customers.finish()
            self.check(fleet, customers.orders)

    def kill(self, fleet, draw):
        members = fleet.members()
        names = MEMBERS if draw.random() < 0.15 else draw.sample(MEMBERS, 1)
        for name in names:
            os.kill(members[name]["pid"], signal.SIGKILL)
        f.eventually(lambda: self.are_back(fleet, names, members), patience=20, what=f"{names} are back")

    @staticmethod
    def are_back(fleet, names, before):
        now = fleet.members()
        return (all(now[name]["restarts"] > before[name]["restarts"] for name in names)
                and all(member["state"] != "down" for member in now.values()))

    def check(self, fleet, placed):
        orders = {order: self.ended(fleet, order) for order in placed}
        by_status = {status: [order for order in orders.values() if order["status"] == status]
                     for status in ("CONFIRMED", "CANCELLED")}
        print({status: len(each) for status, each in by_status.items()}, flush=True)
        self.assertGreater(len(by_status["CONFIRMED"]), 5)
        self.assertGreater(len(by_status["CANCELLED"]), 2)
        for order in orders.values():
            self.check_money(fleet, order)
        ledger = f.call(fleet.port("payment-service"), "GET", "/ledger/accounts").json()
        self.assertTrue(ledger["balanced"], ledger)
        self.check_stock(fleet, placed, by_status["CONFIRMED"])
        self.check_mails(fleet, placed, orders)

    def ended(self, fleet, order):
        def look():
            now = fleet.get(f"/api/orders/{order}").json()
            return now if now.get("status") in ("CONFIRMED", "CANCELLED") and now["progress"] != "CANCELLING" else None

        try:
            return f.eventually(look, patience=60, what=f"order {order} ends")
        except AssertionError:
            print(fleet.cli("sagas", "show", order, check=False).stdout)
            raise

    def check_money(self, fleet, order):
        answer = f.call(fleet.port("payment-service"), "GET", f"/payments/{order['id']}")
        payment = answer.json()
        if order["status"] == "CONFIRMED":
            self.assertEqual(("CAPTURED", order["total"], 0),
                             (payment["status"], payment["captured"], payment["refunded"]), order)
        elif answer.status != 404:
            self.assertIn(payment["status"], ("DECLINED", "CANCELLED", "REFUNDED"), order)
            self.assertEqual(payment["captured"], payment["refunded"], order)

    def check_stock(self, fleet, placed, confirmed):
        sold = dict.fromkeys(PRODUCTS, 0)
        for order in confirmed:
            for item in placed[order["id"]][1]:
                sold[item["productId"]] += item["quantity"]
        for product in PRODUCTS:
            stock = f.call(fleet.port("inventory-service"), "GET", f"/stock/{product}").json()
            self.assertEqual((STOCK - sold[product], 0), (stock["available"], stock["reserved"]), product)

    def check_mails(self, fleet, placed, orders):
        def subjects(address):
            return [mail["subject"] for mail in fleet.mails(to=address)]

        wanted = {}
        for order, (address, _) in placed.items():
            end = "confirmed" if orders[order]["status"] == "CONFIRMED" else "cancelled"
            wanted.setdefault(address, set()).add(f"Your order {order} " + ("is confirmed" if end == "confirmed" else "was cancelled"))
        for address, each in wanted.items():
            f.eventually(lambda: each <= set(subjects(address)), patience=30, what=f"all mails to {address}")
            ids = [mail["messageId"] for mail in fleet.mails(to=address)]
            self.assertEqual(len(ids), len(set(ids)), "a Message-ID is kept twice")
            got = [subject for subject in subjects(address) if subject.endswith("is confirmed")]
            self.assertEqual(len(got), len(set(got)), "two confirmations of one order")

    # Goal: who races for the last pieces gets them or their money back: of 1,000 orders as many go through as there are
    # pieces.
    def test_thousand_buyers_race_for_a_hundred_pieces(self):
        os.environ["FLOTILLA_SET_INITIAL_STOCK"] = "100"
        with f.Fleet() as fleet:
            f.eventually(lambda: f.call(fleet.port("inventory-service"), "GET", "/stock/p-0001").status == 200, what="stock")
            user = fleet.new_user()["id"]
            body = {"userId": user, "items": [{"productId": "p-0001", "quantity": 1}]}
            with concurrent.futures.ThreadPoolExecutor(50) as buyers:
                answers = list(buyers.map(lambda _: fleet.post("/api/orders", body), range(1000)))
            refused = [answer for answer in answers if answer.status != 201]
            self.assertEqual([], [answer for answer in refused if answer.json()["code"] != "out_of_stock"])
            orders = [self.ended(fleet, answer.json()["id"]) for answer in answers if answer.status == 201]
            confirmed = [order for order in orders if order["status"] == "CONFIRMED"]
            print({"refused": len(refused), "cancelled": len(orders) - len(confirmed), "confirmed": len(confirmed)}, flush=True)
            self.assertEqual(100, len(confirmed))
            for order in orders:
                self.check_money(fleet, order)
            stock = f.call(fleet.port("inventory-service"), "GET", "/stock/p-0001").json()
            self.assertEqual((0, 0), (stock["available"], stock["reserved"]))
            self.assertTrue(f.call(fleet.port("payment-service"), "GET", "/ledger/accounts").json()["balanced"])


if __name__ == "__main__":
    f.main()
