#!/usr/bin/env python3
"""Programs in other languages and the fleet hear each other's events, as docs/guides/events-from-other-languages.md says."""

import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import threading
import unittest

import fleet as f

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import npm_packages  # noqa: E402

GUIDE = f.SOURCE / "docs/guides/events-from-other-languages.md"
EXAMPLE = re.compile(r"^```(sh|python|js)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class OtherLanguages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = npm_packages.install(f.SOURCE / "tests/e2e/node", f.PROGRAMS.parent)
        cls.fleet = cls.enterClassContext(f.Fleet())
        cls.bus = f"redis://127.0.0.1:{cls.fleet.port('bus')}"

    def run_program(self, *command):
        done = subprocess.run(command, cwd=self.folder, env={**os.environ, "BUS": self.bus}, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(0, done.returncode, f"{command}:\n{done.stdout}")
        return done.stdout

    def publish(self, topic, event, listeners=1):
        """As requirement 003's services do; once all listen who will."""
        f.eventually(lambda: self.run_program("node", "publisher.js", self.bus, topic, json.dumps(event)) == f"{listeners}\n",
                     what=f"{topic} is listened to")

    def one_mail(self, address, subject):
        f.eventually(lambda: any(mail["subject"] == subject for mail in self.fleet.mails(to=address)),
                     what=f"a mail to {address}: {subject}")
        self.assertEqual([1], [mail["received"] for mail in self.fleet.mails(to=address) if mail["subject"] == subject])

    # Goal: the requirements' consumer, unchanged, hears user.created and order.confirmed.
    def test_subscriber_hears_events(self):
        node = subprocess.Popen(["node", "subscriber.js", self.bus], cwd=self.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        try:
            lines = queue.Queue()
            threading.Thread(target=lambda: [lines.put(line.strip()) for line in node.stdout], daemon=True).start()
            self.assertEqual("Notification Service subscribed to events", lines.get(timeout=20))
            user = self.fleet.new_user("Grace")
            self.assertEqual(f"Sending welcome email to {user['email']}", lines.get(timeout=20))
            order = self.fleet.post("/api/orders", {"userId": user["id"],
                                                    "items": [{"productId": "p-0001", "quantity": 1}]}).json()
            self.fleet.post(f"/api/orders/{order['id']}/confirm")
            self.assertEqual(f"Sending order confirmation for {order['id']} to user {user['id']}", lines.get(timeout=20))
        finally:
            node.terminate()
            node.wait(timeout=10)
            node.stdout.close()
        # The copies that it heard are no events of their own.
        self.one_mail(user["email"], "Welcome aboard")
        self.one_mail(user["email"], f"Your order {order['id']} is confirmed")

    # Goal: the requirements' publisher, unchanged, is heard: its users and orders get their mails.
    def test_publisher_is_heard(self):
        user = self.fleet.new_user("Ada")
        self.publish("user.created", {"userId": "u-003", "email": "node@example.com", "name": "Node"})
        self.one_mail("node@example.com", "Welcome aboard")
        self.publish("order.confirmed", {"orderId": "o-003", "userId": user["id"]}, listeners=2)  # shipping, too
        self.one_mail(user["email"], "Your order o-003 is confirmed")

    # Goal: every example of the guide works as it stands there.
    def test_examples_of_the_guide_are_heard(self):
        interpreters = {"sh": ["sh", "-ec"], "python": [sys.executable, "-c"],
                        "js": ["node", "--input-type=module", "-e"]}
        examples = EXAMPLE.findall(GUIDE.read_text())
        self.assertEqual({"sh", "python", "js"}, {language for language, _ in examples})
        self.publish("user.created", {"userId": "u-000", "email": "first@example.com", "name": "First"})
        for language, code in examples:
            with self.subTest(language=language, code=code):
                self.run_program(*interpreters[language], code)
                for address in re.findall(r"[\w-]+@[\w.]+\.example", code):
                    self.one_mail(address, "Welcome aboard")


if __name__ == "__main__":
    f.main()
