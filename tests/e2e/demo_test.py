#!/usr/bin/env python3
"""./flotilla demo tells its four stories on a running shop, and each ends as it should."""

import pathlib
import subprocess
import tempfile
import unittest

import fleet as f


class Demo(unittest.TestCase):
    def demo(self, data):
        return subprocess.run([f.PROGRAMS / "flotilla-demo", "--data", data], capture_output=True, text=True, timeout=100)

    # Goal: all four end as they should, twice in a row; the words a reader looks for are there.
    def test_stories_end_as_they_should(self):
        with f.Fleet() as fleet:
            for _ in range(2):
                told = self.demo(fleet.data)
                self.assertEqual((0, ""), (told.returncode, told.stderr), told.stdout)
                self.assertEqual(1, told.stdout.count("The order is CONFIRMED"), told.stdout)
                self.assertEqual(3, told.stdout.count("The order is CANCELLED"), told.stdout)
                for word in ("declined", "out of stock", "refund", "gets a mail"):
                    self.assertIn(word, told.stdout)

    # Goal: a story that does not end as it should is told as such, and the demo fails.
    def test_wrong_ending_fails(self):
        with f.Fleet() as fleet:
            restock = ("POST", "/stock/p-0002/restock", {"quantity": 5000})
            f.eventually(lambda: f.call(fleet.port("inventory-service"), *restock).status == 200, what="there is stock")
            told = self.demo(fleet.data)
            self.assertEqual(1, told.returncode, told.stdout)
            self.assertIn("Not as it should be: the order should be CANCELLED, and is CONFIRMED", told.stdout)

    # Goal: without a fleet it says what to do.
    def test_no_fleet(self):
        with tempfile.TemporaryDirectory() as empty:
            told = self.demo(pathlib.Path(empty))
        self.assertEqual(1, told.returncode)
        self.assertIn("No fleet runs on", told.stderr)


if __name__ == "__main__":
    f.main()
