#!/usr/bin/env python3
"""A plain Redis subscriber in Node hears the fleet's events on the channel named as the topic."""

import queue
import shutil
import subprocess
import threading
import unittest

import fleet as f


def install_packages():
    """The npm packages of tests/e2e/node, beside the build; installed once."""
    source = f.SOURCE / "tests/e2e/node"
    target = f.PROGRAMS.parent / "e2e-node"
    target.mkdir(parents=True, exist_ok=True)
    stamp = target / "installed.json"
    lock = (source / "package-lock.json").read_text()
    for file in source.iterdir():
        shutil.copy(file, target)
    if not stamp.exists() or stamp.read_text() != lock:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=target, check=True, timeout=300)
        stamp.write_text(lock)
    return target


class NodeSubscriber(unittest.TestCase):
    # Goal: the requirements' consumer, unchanged, hears user.created and order.confirmed.
    def test_subscriber_hears_events(self):
        folder = install_packages()
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
