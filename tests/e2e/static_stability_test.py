#!/usr/bin/env python3
"""A fleet without its hub keeps serving and says so; events wait and flow when it returns."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import unittest
import urllib.parse

import fleet as f

OPTION = "config/order-service/targets/user-service/retry.retries"


def readyz(port):
    try:
        return f.call(port, "GET", "/readyz")
    except OSError:
        return None


class HubDies(unittest.TestCase):
    # Goal: with hub and supervisor gone, orders are still placed over the last known instances; /readyz says what is
    # missing; the events wait in the outbox and arrive when the hub is back.
    def test_events_wait_for_the_hub(self):
        with f.Fleet() as fleet:
            user = fleet.new_user()
            f.eventually(lambda: len(fleet.mails()) == 1, what="the welcome mail")
            self.change_options(fleet)
            state = fleet.state()
            os.kill(state["supervisor"]["pid"], signal.SIGKILL)  # or it would restart the hub at once
            os.kill(next(m for m in state["members"] if m["name"] == "hub")["process"]["pid"], signal.SIGKILL)

            order = fleet.post("/api/orders", {"userId": user["id"], "items": [{"productId": "p-0001", "quantity": 1}]})
            self.assertEqual(201, order.status, order)
            self.assertEqual(200, fleet.post(f"/api/orders/{order.json()['id']}/confirm").status)
            self.assertEqual(200, fleet.get(f"/api/users/{user['id']}/dashboard").status)

            def degraded():
                ready = readyz(fleet.port("order-service")).json()
                failed = {name for name, check in ready["checks"].items() if check["status"] != "ok"}
                return ready if {"bus", "registry", "outbox"} <= failed else None

            ready = f.eventually(degraded, what="/readyz names bus, registry and outbox")
            self.assertEqual("degraded", ready["status"])
            self.assertEqual(200, readyz(fleet.port("order-service")).status)
            self.assertEqual("degraded", fleet.members()["order-service"]["state"])
            self.assertFalse(fleet.status()["supervised"])

            self.assertEqual(("2", f"KV {OPTION}"), self.option(fleet), "what is in force stays")

            fleet.up()  # takes the living services over and starts the hub again
            self.assertTrue(fleet.status()["supervised"])
            f.eventually(lambda: len(fleet.mails()) == 2, what="the confirmation that waited")
            f.eventually(lambda: all(m["state"] == "ok" for m in fleet.members().values()), what="healthy again")
            self.assertEqual(0, fleet.members()["order-service"]["restarts"])


    # Goal: options of calls are changed by values in the hub, without a restart; one that is wrong is refused in words
    # and the old one stays. Everything is on /targetz with where it was said.
    def change_options(self, fleet):
        def put(key, value):
            self.assertEqual(200, f.call(fleet.port("hub"), "PUT", "/v1/kv/" + urllib.parse.quote(key), value).status)

        self.assertEqual(("3", "default"), self.option(fleet))
        put(OPTION, 1)
        f.eventually(lambda: self.option(fleet) == ("1", f"KV {OPTION}"), what="the option is in force")
        put(OPTION, 1000)
        refused = f.eventually(lambda: self.targetz(fleet)["refused"], what="a wrong value is refused")
        self.assertEqual([{"key": OPTION, "value": "1000",
                           "error": "retry.retries must be a whole number from 0 to 100, found '1000'"}], refused)
        self.assertEqual(("1", f"KV {OPTION}"), self.option(fleet))
        self.assertIn("a value is refused; the option stays as it is", fleet.logs())
        put(OPTION, 2)
        f.eventually(lambda: self.option(fleet) == ("2", f"KV {OPTION}") and not self.targetz(fleet)["refused"],
                     what="the next one is taken")
        put("config/targets/user-service/GET /users/{id}/retry.retries", 0)
        f.eventually(lambda: [each["endpoint"] for each in self.target(fleet)["endpoints"]] == ["GET /users/{id}"],
                     what="an endpoint has one of its own")
        put("config/gateway/targets/user-service/retry.backoff", 20)
        f.eventually(lambda: self.targetz(fleet, "gateway")["refused"], what="20 is no duration")

    def targetz(self, fleet, service="order-service"):
        return f.call(fleet.port(service), "GET", "/targetz").json()

    def target(self, fleet):
        return next(each for each in self.targetz(fleet)["targets"] if each["service"] == "user-service")

    def option(self, fleet):
        return next((each["value"], each["from"]) for each in self.target(fleet)["options"]
                    if each["key"] == "retry.retries")


class WithoutHub(unittest.TestCase):
    # Goal: a service started where there is no hub serves at once and says what is missing.
    def test_service_starts_and_serves(self):
        port = next(p for p in range(20000 + os.getpid() % 10000, 65000) if f.is_free(p))
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "log"
            with log.open("w") as output:
                service = subprocess.Popen([str(f.PROGRAMS / "user-service"), "--port", str(port), "--data", folder,
                                            "--registry", "consul://127.0.0.1:1", "--bus", "redis://127.0.0.1:1"],
                                           stdout=output, stderr=subprocess.STDOUT)
            try:
                f.eventually(lambda: readyz(port), what="the service answers")
                made = f.call(port, "POST", "/users", {"email": "ada@example.com", "name": "Ada"})
                self.assertEqual(201, made.status, made)
                ready = f.eventually(lambda: (lambda r: r if r["checks"]["outbox"]["status"] == "failed" else None)(
                    readyz(port).json()), what="/readyz names the outbox")
                self.assertEqual("degraded", ready["status"])
                self.assertIn("1 events wait", ready["checks"]["outbox"]["detail"])
                self.assertEqual("ok", ready["checks"]["database"]["status"])
                self.assertEqual(503, f.call(port, "GET", "/healthz").status)
                service.send_signal(signal.SIGTERM)
                self.assertEqual(0, service.wait(timeout=20))
            finally:
                service.kill()
                service.wait()


class BusHangs(unittest.TestCase):
    # Goal: a bus that takes connections and never answers fails nothing; that the events wait is told all the same, and
    # the service, which serves, stays in the balancer.
    def test_waiting_events_are_a_reason(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as bus:
            bus.bind(("127.0.0.1", 0))
            bus.listen(64)
            log = pathlib.Path(folder) / "log"
            with log.open("w") as output:
                service = subprocess.Popen(
                    [str(f.PROGRAMS / "user-service"), "--port", "0", "--data", folder, "--registry", "none",
                     "--bus", f"redis://127.0.0.1:{bus.getsockname()[1]}", "--lag-max", "0.2", "--log-format", "json"],
                    stdout=output, stderr=subprocess.STDOUT)
            try:
                f.eventually(lambda: '"message":"ready"' in log.read_text(), what="the service is ready")
                port = int(re.search(r'"address":"127.0.0.1:(\d+)"', log.read_text())[1])
                self.assertEqual(201, f.call(port, "POST", "/users", {"email": "ada@example.com", "name": "Ada"}).status)

                def told():
                    ready = readyz(port)
                    return ready if "the oldest for" in (ready.json()["checks"]["outbox"].get("detail") or "") else None

                ready = f.eventually(told, patience=5, what="/readyz tells how long the event waits")
                self.assertEqual(200, ready.status)
                self.assertEqual("degraded", ready.json()["status"])
                metrics = f.call(port, "GET", "/metrics").body
                lag = re.search(r"^flotilla_outbox_lag_seconds (\S+)$", metrics, re.MULTILINE)
                self.assertGreater(float(lag[1]), 0.2)
            finally:
                service.kill()
                service.wait()


if __name__ == "__main__":
    f.main()
