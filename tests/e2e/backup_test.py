#!/usr/bin/env python3
"""A backup of a fleet under load, restored beside it; what a clean stop leaves; a database that is damaged under it."""

import json
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import unittest
import urllib.parse

import fleet as f
from buyers import AcknowledgedIsKept, Buyers


def rows(path, query):
    """Reads a database file that stands alone, without leaving anything beside it."""
    connection = sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?immutable=1", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def database(backup, service):
    return backup / "data" / service / f"{service}.db"


def overwrite(path):
    """Every page but the first ones, which hold the schema."""
    with open(path, "r+b") as file:
        size = file.seek(0, 2)
        file.seek(16384)
        file.write(b"\xa5" * (size - 16384))


class BackupUnderLoad(AcknowledgedIsKept, unittest.TestCase):
    # Goal: every order acknowledged before a backup of a busy fleet began is in the restored one; databases, bus and
    # mails agree; the restored fleet has nothing to do with the one that still runs. After a clean stop each database is
    # its file alone. A database damaged under a running service is no passing trouble.
    def test_backup_of_a_busy_fleet_is_a_whole_fleet(self):
        with tempfile.TemporaryDirectory(prefix="it's odd? #1 100%-") as folder, f.Fleet() as fleet:
            backup, data = pathlib.Path(folder) / "backup", pathlib.Path(folder) / "restored"
            before = self.back_up_under_load(fleet, backup)
            fleet.cli("down")
            fleet.up()  # with its data in one file each, and something to damage
            self.assertEqual(1, fleet.cli("restore", str(backup), check=False).returncode)
            f.Fleet(data=data).cli("restore", str(backup))
            with f.Fleet(data=data) as restored:
                self.check(restored, before)
                self.check_mails(restored, backup)
                kept = len(restored.mails())
                self.stop_as_told(restored)
                self.check_files_stand_alone(data, before, kept)
            self.damage_is_told(fleet, next(iter(before.users)))

    def back_up_under_load(self, fleet, backup):
        buyers = Buyers(fleet, threads=4)
        try:
            f.eventually(lambda: len(buyers.confirmed) > 60, what="orders flow before the backup")
            before = buyers.acknowledged()
            for number in range(3):
                fleet.cli("backup", f"{backup}-{number}")
                self.check_copies_agree(pathlib.Path(f"{backup}-{number}"))
            fleet.cli("backup", str(backup))
            during = len(buyers.confirmed)
            f.eventually(lambda: len(buyers.confirmed) > during + 10, what="orders flow after the backup")
        finally:
            buyers.finish()
        self.assertEqual(0, buyers.failures)
        manifest = json.loads((backup / "manifest.json").read_text())
        self.assertEqual({"hub", *f.SERVICES}, {each["member"] for each in manifest["databases"]})
        return before

    # Copies of one moment: what refers to something in another one finds it there.
    def check_copies_agree(self, backup):
        users = {user for (user,) in rows(database(backup, "user-service"), "SELECT id FROM users")}
        orders = rows(database(backup, "order-service"), "SELECT id, user_id FROM order_list_1")
        self.assertEqual([], [order for order, user in orders if user not in users])
        published = {(producer, topic, partition): after - 1 for producer in f.SERVICES
                     for topic, partition, after in rows(database(backup, producer),
                         "SELECT topic, partition, next_sequence FROM flotilla_outbox_partitions")}
        marks = rows(database(backup, "notification-service"),
                     "SELECT producer, topic, partition, sequence FROM flotilla_inbox")
        self.assertLess(0, len(marks))
        self.assertEqual([], [mark for mark in marks if mark[3] > published[mark[:3]]])

    # Every mail that should be there is, once, and no other.
    def check_mails(self, restored, backup):
        users = dict(rows(database(backup, "user-service"), "SELECT id, email FROM users"))
        orders = rows(database(backup, "order-service"), "SELECT id, user_id, status FROM order_list_1")
        confirmed = {f"Your order {order} is confirmed" for order, _, status in orders if status == "CONFIRMED"}
        f.eventually(lambda: confirmed <= {mail["subject"] for mail in restored.mails()}, what="every mail arrives")
        mails = restored.mails()
        self.assertEqual(len(mails), len({mail["messageId"] for mail in mails}))
        self.assertEqual(set(), {mail["to"][0] for mail in mails} - set(users.values()))

    # What `up` prints can be pasted, whatever the folder is called.
    def stop_as_told(self, restored):
        told = next(line.split(maxsplit=1)[1] for line in restored.up().stdout.splitlines() if line.split()[:1] == ["Stop"])
        pasted = told.replace("./flotilla", str(f.PROGRAMS / "flotilla"), 1)
        subprocess.run(["bash", "-c", pasted], check=True, stdout=subprocess.DEVNULL, timeout=60)
        self.assertEqual([], restored.status()["members"])

    def check_files_stand_alone(self, data, before, mails):
        self.assertEqual([], [str(log) for log in data.rglob("*.db-wal")])
        with tempfile.TemporaryDirectory() as copies:
            for file in data.rglob("*.db"):
                shutil.copy(file, copies)
            orders = {order for (order,) in rows(f"{copies}/order-service.db", "SELECT id FROM order_list_1")}
            self.assertLessEqual(set(before.orders), orders)
            self.assertEqual([(mails,)], rows(f"{copies}/mail.db", "SELECT count(*) FROM mails"))
            self.assertLess(0, rows(f"{copies}/bus.db", "SELECT count(*) FROM entries")[0][0])

    def damage_is_told(self, fleet, user):
        damaged = database(fleet.data, "user-service")
        overwrite(damaged)
        self.assertEqual(500, fleet.get(f"/api/users/{user}").status)
        self.assertEqual(500, fleet.post("/api/users", {"email": "a@example.com", "name": "A"}).status)
        ready = f.call(fleet.port("user-service"), "GET", "/readyz")
        self.assertEqual(503, ready.status)
        self.assertIn(str(damaged), ready.json()["checks"]["database"]["detail"])
        self.assertIn("./flotilla restore", ready.json()["checks"]["database"]["detail"])
        status = fleet.cli("status", check=False)
        self.assertEqual(1, status.returncode)
        self.assertIn("is damaged", status.stdout)


if __name__ == "__main__":
    f.main()
