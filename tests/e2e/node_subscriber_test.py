#!/usr/bin/env python3
"""A plain Redis subscriber in Node hears the fleet's events on the channel named as the topic."""

import pathlib
import queue
import subprocess
import sys
import threading
import unittest

import fleet as f

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import npm_packages  # noqa: E402


class NodeSubscriber(unittest.TestCase):
    # Goal: the requirements' consumer, unchanged, hears user.created and order.confirmed.
    def test_subscriber_hears_events(self):
        folder = npm_packages.install(f.SOURCE / "tests/e2e/node", f.PROGRAMS.parent)
        with f.Fleet() as fleet:
            node = subprocess.Popen(["node", "notification.js", f"redis://127.0.0.1:{fleet.port('bus')}"], cwd=folder,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                lines = queue.Queue()
                threading.Thread(target=lambda: [lines.put(line.strip()) for line in node.stdout], daemon=True).start()
                self.assertEqual("Notification Service subscribed to events", lines.get(timeout=20))
                user = fleet.new_user("Grace")
                self.assertEqual(f"Sending welcome email to {user['email']}", lines.get(timeout=20))
                order = fleet.post("/api/orders", {"userId": user["id"], "items": [{"productId": "p-0001", "quantity": 1}]})
                fleet.post(f"/api/orders/{order.json()['id']}/confirm")
                self.assertEqual(f"Sending order confirmation for {order.json()['id']} to user {user['id']}",
                                 lines.get(timeout=20))
            finally:
                node.terminate()
                node.wait(timeout=10)
                node.stdout.close()


if __name__ == "__main__":
    f.main()
