#!/usr/bin/env python3
"""The payment service alone: killed at any moment while money moves, and asked to keep a card's number to itself."""

import http.client
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import fleet as f

SEED = int(os.environ.get("FLOTILLA_SEED", "1"))
KILLS = int(os.environ.get("FLOTILLA_KILLS", "15"))
CARDS = ["card_ok", "card_ok", "card_twice", "card_flaky", "card_lost_answer"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PaymentService:
    """The process, which can be started again on its data and port."""

    def __init__(self, folder, *settings):
        self.folder, self.settings = pathlib.Path(folder), settings
        self.port = free_port()
        self.log = self.folder / "log"
        self.process = None

    def start(self):
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                [f.PROGRAMS / "payment-service", "--port", str(self.port), "--data", self.folder, "--registry", "none",
                 "--bus", "redis://127.0.0.1:1", "--log-format", "json", "--log-level", "debug", *self.settings],
                stdout=output, stderr=subprocess.STDOUT)
        f.eventually(self.answers, what="the payment service serves")

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return f.call(self.port, "GET", "/livez").status == 200
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def rows(self, sql):
        """Requires: stopped."""
        database = sqlite3.connect(self.folder / "payment-service.db")
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()


class Payers:
    """Threads that pay orders and take some of the money back, each command repeated with its key until it has an answer
    that is no failure."""

    def __init__(self, service, threads):
        self.service = service
        self.ending = threading.Event()
        self.answers, self.repeats, self.unexpected = 0, 0, []
        self.lock = threading.Lock()
        self.orders = {}  # order -> (cents, [cents of refunds])
        self.threads = [threading.Thread(target=self.pay, args=(number,)) for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def command(self, path, key, body, wanted):
        while True:
            try:
                answer = f.call(self.service.port, "POST", path, body, {"idempotency-key": key})
            except (OSError, http.client.HTTPException):
                answer = None
            with self.lock:
                self.answers += 1
                if answer is not None and answer.status < 500 and "idempotency_key_in_use" not in answer.body:
                    if answer.status != wanted:
                        self.unexpected.append(f"{path}: {answer}")
                    return
                self.repeats += 1
            time.sleep(0.005)

    def pay(self, number):
        draw = random.Random(SEED * 1000 + number)
        turn = 0
        while not self.ending.is_set():
            turn += 1
            order, cents = f"order-{number}-{turn}", draw.randrange(100, 100000)
            refunds = [draw.randrange(1, cents // 3) for _ in range(draw.randrange(3))]
            body = {"orderId": order, "userId": f"user-{number}", "amount": cents / 100,
                    "paymentMethod": draw.choice(CARDS)}
            self.command("/payments", f"{order}-authorize", body, 201)
            self.command(f"/payments/{order}/capture", f"{order}-capture", None, 200)
            for each, amount in enumerate(refunds):
                self.command(f"/payments/{order}/refund", f"{order}-refund-{each}", {"amount": amount / 100}, 200)
            with self.lock:
                self.orders[order] = (cents, refunds)

    def finish(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()


class KilledWhileMoneyMoves(unittest.TestCase):
    # Goal: however often the process is killed, a command repeated with its key is done once: the provider has charged and
    # given back what was asked for, the ledger adds up, each order has one invoice. Replay with FLOTILLA_SEED.
    def test_everything_happens_once(self):
        print(f"seed {SEED}", flush=True)
        draw = random.Random(SEED)
        with tempfile.TemporaryDirectory(prefix="flotilla-payment-") as folder:
            service = PaymentService(folder, "--set", "provider_timeout_ms=50", "--set", "settle_after_ms=300")
            service.start()
            payers = Payers(service, threads=6)
            try:
                for _ in range(KILLS):
                    until = payers.answers + draw.randrange(3, 40)
                    f.eventually(lambda: payers.answers >= until, what="money moves before the kill")
                    time.sleep(draw.random() / 100)
                    service.kill()
                    service.start()
            finally:
                payers.finish()
                self.assertEqual(0, service.stop())
            print(f"{len(payers.orders)} orders, {payers.answers} tries, {payers.repeats} of them again", flush=True)
            self.assertEqual([], payers.unexpected)
            self.assertGreater(len(payers.orders), KILLS)
            self.assertGreater(payers.repeats, KILLS)
            self.check(service, payers.orders)

    def check(self, service, orders):
        self.assertEqual([], service.rows("SELECT * FROM sandbox_effects WHERE NOT made OR refused IS NOT NULL"))
        for order, (cents, refunds) in orders.items():
            did = service.rows(f"SELECT operation, amount FROM sandbox_effects WHERE payment = '{order}'")
            self.assertEqual(sorted([("AUTHORIZE", cents), ("CAPTURE", cents), *(("REFUND", r) for r in refunds)]),
                             sorted(did), order)
            self.assertEqual([(cents, sum(refunds), 0)], service.rows(
                f"SELECT captured, refunded, held FROM payments WHERE order_id = '{order}'"), order)
            self.assertEqual([("CREDIT_NOTE", r) for r in sorted(refunds)] + [("INVOICE", cents)], service.rows(
                f"SELECT kind, total FROM invoices WHERE order_id = '{order}' ORDER BY kind, total"), order)
        self.assertEqual([(0,)], service.rows("SELECT max(CAST(id AS INTEGER)) - count(*) FROM invoices"))
        sums = {account: debits - credits for account, debits, credits in service.rows("SELECT * FROM ledger_accounts")}
        scanned = dict.fromkeys(sums, 0)
        for debit, credit, amount in service.rows("SELECT debit, credit, amount FROM ledger_transfers"):
            scanned[debit] += amount
            scanned[credit] -= amount
        self.assertEqual(scanned, sums)
        charged = sum(cents for cents, _ in orders.values())
        given_back = sum(sum(refunds) for _, refunds in orders.values())
        self.assertEqual({"CUSTOMER_RECEIVABLE": 0, "PROVIDER_CLEARING": charged - given_back, "REVENUE": -charged,
                          "REFUNDS": given_back, "CARD_HOLDS": 0, "CARD_HOLDS_OFFSET": 0}, sums)


def with_check_digit(digits):
    for last in "0123456789":
        doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits + last))]
        if sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0:
            return digits + last


class CardNumbers(unittest.TestCase):
    # Goal: a card's number is not in any answer, log line or byte that is kept, however it comes in.
    def test_number_stays_nowhere(self):
        digits = with_check_digit(f"4917{random.randrange(10**11):011}")
        spaced = " ".join(digits[i:i + 4] for i in range(0, 16, 4))
        mistyped = digits[:-1] + str((int(digits[-1]) + 1) % 10)
        card = {"number": digits, "expiry": "12/49", "cvc": "987"}
        order = {"orderId": "o-1", "userId": "u-1", "amount": 5}
        with tempfile.TemporaryDirectory(prefix="flotilla-payment-") as folder:
            service = PaymentService(folder, "--access-log-sample", "1")
            service.start()
            key = {"idempotency-key": "k"}
            answers = [f.call(service.port, "POST", path, body, key) for path, body in [
                ("/cards", card), ("/cards", {**card, "number": spaced}), ("/cards", {**card, "number": int(digits)}),
                ("/cards", {**card, "number": mistyped}), ("/cards", {**card, "expiry": "01/20"}),
                ("/cards", {**card, "expiry": digits}), ("/cards", {**card, "cvc": digits}),
                ("/cards", json.dumps(card)[:-2]), ("/cards", json.dumps(card) + digits),
                ("/payments", {**order, "paymentMethod": digits}), ("/payments", {**order, "paymentMethod": f"card_{digits}"}),
                ("/payments", {**order, "paymentMethod": int(digits)})]]
            self.assertEqual([201, 201] + [400] * 10, [answer.status for answer in answers])
            token = answers[0].json()["token"]
            paid = [f.call(service.port, "POST", path, body, key) for path, body in [
                ("/payments", {**order, "paymentMethod": token}), ("/payments/o-1/capture", None),
                ("/payments/o-1/refund", {"amount": 1})]]
            self.assertEqual([201, 200, 200], [answer.status for answer in paid])
            answers += paid
            while_running = [file.read_bytes() for file in pathlib.Path(folder).rglob("*") if file.is_file()]
            self.assertEqual(0, service.stop())
            kept = while_running + [file.read_bytes() for file in pathlib.Path(folder).rglob("*") if file.is_file()]
            self.assertTrue(any(token.encode() in content for content in kept), "nothing was kept")
            for secret in (digits, spaced, mistyped):
                for answer in answers:
                    self.assertNotIn(secret, answer.body)
                for content in kept:
                    self.assertNotIn(secret.encode(), content)


if __name__ == "__main__":
    f.main()
