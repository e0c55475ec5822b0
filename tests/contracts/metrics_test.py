#!/usr/bin/env python3
"""docs/observability.md names every metric of a running fleet, with type and labels, and no other."""

import os
import pathlib
import re
import signal
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "e2e"))
import fleet as f  # noqa: E402

PROGRAMS = {"gateway": "G", "hub": "H"}  # every other one is a service
TYPE = re.compile(r"^# TYPE (\S+) (\S+)$")
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$")
LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')
ROW = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram) \|([^|]*)\| ([SGH ]+) \|")
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def documented():
    """(name, type, labels) to the set of programs that have it."""
    rows = {}
    for line in (f.SOURCE / "docs/observability.md").read_text().splitlines():
        if row := ROW.match(line):
            key = (row[1], row[2], frozenset(re.findall(r"`(\w+)`", row[3])))
            if key in rows:
                raise AssertionError(f"documented twice: {row[1]}")
            rows[key] = set(row[4].split())
    return rows


def scraped(port):
    answer = f.call(port, "GET", "/metrics")
    if answer.status != 200:
        raise AssertionError(answer)
    types, found = {}, set()
    for line in answer.body.splitlines():
        if declared := TYPE.match(line):
            types[declared[1]] = declared[2]
        elif not line.startswith("#"):
            sample = SAMPLE.match(line)
            name = sample[1] if sample[1] in types else SUFFIX.sub("", sample[1])
            labels = frozenset(LABEL.findall(sample[2] or "")) - {"le"}
            found.add((name, types[name], labels))
    return found


def whole_shop(fleet):
    """Makes everything happen that is counted from its first time on."""
    user = fleet.new_user()
    order = fleet.post("/api/orders", {"userId": user["id"], "items": [{"productId": "p-0001", "quantity": 1}]}).json()
    fleet.post(f"/api/orders/{order['id']}/confirm")
    f.eventually(lambda: fleet.mails(user["email"]), what="the confirmation's mail")
    # An optional branch of a composition fails while its service stands still.
    pid = fleet.members()["order-service"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        dashboard = fleet.get(f"/api/users/{user['id']}/dashboard").json()
        if dashboard.get("degraded") != ["orders"]:
            raise AssertionError(dashboard)
    finally:
        os.kill(pid, signal.SIGCONT)
    # Instances that nobody can connect to: the gateway and the order service go to another one.
    for service in ("order-service", "user-service"):
        answer = f.call(fleet.port("hub"), "PUT", "/v1/agent/service/register",
                        {"ID": f"{service}-gone", "Name": service, "Address": "127.0.0.1", "Port": 1})
        if answer.status != 200:
            raise AssertionError(answer)

    def met():
        order = fleet.post("/api/orders", {"userId": user["id"], "items": [{"productId": "p-0001", "quantity": 1}]})
        if order.status != 201:
            raise AssertionError(order)
        return all(any(name == metric for name, _, _ in scraped(fleet.port(program))) for program, metric in (
            ("gateway", "http_client_failed_requests_total"),
            ("order-service", "http_client_failed_requests_total")))

    f.eventually(met, what="somebody tries to connect to them")


class MetricsAreDocumented(unittest.TestCase):
    # Goal: name, type, labels and program of each metric are in the page, and nothing that no program serves.
    def test_both_ways(self):
        served = {}
        with f.Fleet() as fleet:
            whole_shop(fleet)

            def all_served():
                ports = {name: fleet.port(name) for name in f.PORTS.keys() - {"bus", "smtp"}}
                for name, port in ports.items():
                    for metric in scraped(port):
                        served.setdefault(metric, set()).add(PROGRAMS.get(name, "S"))
                return {name for name, _, _ in served} >= {name for name, _, _ in documented()}

            try:
                f.eventually(all_served, patience=10, what="every documented metric is served")
            except AssertionError:
                pass  # the comparison below names them
        self.assertGreater(len(served), 30)
        page = documented()
        undocumented = sorted(name for name, _, _ in served.keys() - page.keys())
        self.assertEqual([], undocumented, "served, but not like this in docs/observability.md")
        unserved = sorted(name for name, _, _ in page.keys() - served.keys())
        self.assertEqual([], unserved, "in docs/observability.md, but not served like this")
        for metric, programs in page.items():
            self.assertEqual(programs, served[metric], metric[0])


if __name__ == "__main__":
    f.main()
