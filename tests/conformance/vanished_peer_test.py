#!/usr/bin/env python3
"""A peer that vanishes without a word is noticed in seconds, by servers and by clients, where nothing would tell for a
minute. Two network namespaces and a cable between them that is pulled; skipped where none may be made."""

import ctypes
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAMS = pathlib.Path(os.environ["FLOTILLA_BIN"])
HERE, THERE = f"flotilla-{os.getpid()}-a", f"flotilla-{os.getpid()}-b"
NEAR, FAR = "10.213.97.1", "10.213.97.2"
HUB, GATEWAY, BACKEND = 8500, 3000, 3001  # ports of namespaces of their own
NOTICED_IN = 10  # seconds: framework/flotilla/aio/socket_address.hpp
MARGIN = 4
TRIES = 6  # seconds that the gateway then looks for another way: three more tries to connect of a second each, and waits
ROUTES = "routes:\n  - match: {path: '/{rest...}'}\n    to: far-service\n    timeout: 60s\n"


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class InNamespace(threading.Thread):
    """Calls a function in a network namespace."""

    def __init__(self, namespace, function):
        super().__init__(daemon=True)
        self.namespace, self.function, self.outcome = namespace, function, None
        self.start()

    def run(self):
        with open(f"/var/run/netns/{self.namespace}") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        try:
            self.outcome = self.function()
        except Exception as failure:  # asserted on by who waits for it
            self.outcome = failure

    def result(self, seconds):
        self.join(seconds)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection(NEAR, port, timeout=60)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Backend:
    """Answers each request but those for /hang."""

    def __init__(self):
        self.hanging = threading.Event()
        self.listener = socket.create_server((FAR, BACKEND))
        self.kept = []
        while True:
            connection, _ = self.listener.accept()
            self.kept.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        while head := connection.recv(65536):
            if head.startswith(b"GET /hang"):
                Backend.seen.set()
                continue
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    seen = threading.Event()


def connections():
    for line in ask(GATEWAY, "GET", "/metrics")[1].splitlines():
        if line.startswith("http_server_connections{"):
            return float(line.split()[-1])
    raise AssertionError("no http_server_connections")


class VanishedPeer(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0 or not shutil.which("ip"):
            self.skipTest("network namespaces take root and the command ip")
        self.data = tempfile.TemporaryDirectory(prefix="flotilla-vanished-")
        self.addCleanup(self.data.cleanup)
        for namespace in (HERE, THERE):
            try:
                ip("netns", "add", namespace)
            except subprocess.CalledProcessError as refused:
                self.skipTest(f"no network namespace: {refused.stderr.strip()}")
            self.addCleanup(ip, "netns", "del", namespace)
        ip("link", "add", "cable", "netns", HERE, "type", "veth", "peer", "name", "cable", "netns", THERE)
        for namespace, address in ((HERE, NEAR), (THERE, FAR)):
            ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", namespace, "link", "set", device, "up")
        routes = pathlib.Path(self.data.name, "routes.yaml")
        routes.write_text(ROUTES)
        self.start("hub", "--http-port", str(HUB), "--redis-port", "0", "--smtp-port", "0")
        self.start("gateway", "--port", str(GATEWAY), "--registry", f"consul://{NEAR}:{HUB}", "--config", str(routes))
        InNamespace(THERE, Backend)
        service = json.dumps({"Name": "far-service", "ID": "far", "Address": FAR, "Port": BACKEND})
        self.eventually(lambda: ask(HUB, "PUT", "/v1/agent/service/register", service)[0] == 200)
        self.eventually(lambda: ask(GATEWAY, "GET", "/x")[0] == 200)

    def start(self, name, *arguments):
        with open(f"{self.data.name}/{name}.log", "w") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", HERE, PROGRAMS / f"flotilla-{name}", "--host", NEAR, "--data",
                 f"{self.data.name}/{name}", "--drain", "1", *arguments], stdout=log, stderr=log)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)

    def eventually(self, condition, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if InNamespace(HERE, condition).result(seconds):
                    return
            except (OSError, http.client.HTTPException):
                pass  # not yet
            time.sleep(0.05)
        self.fail(f"not within {seconds} s")

    # Goal: within seconds of the cable's being pulled a server drops the connection of a silent client, and a client
    # gives up both an answer that it waits for and a request that it sends.
    def test_is_noticed_in_seconds(self):
        client = InNamespace(THERE, lambda: socket.create_connection((NEAR, GATEWAY))).result(5)
        self.addCleanup(client.close)
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 200"))
        waiting = InNamespace(HERE, lambda: ask(GATEWAY, "GET", "/hang"))
        self.assertTrue(Backend.seen.wait(5))
        self.assertEqual(200, InNamespace(HERE, lambda: ask(GATEWAY, "GET", "/x")).result(5)[0])  # leaves a connection

        ip("-n", THERE, "link", "set", "cable", "down")
        pulled = time.monotonic()
        sending = InNamespace(HERE, lambda: ask(GATEWAY, "GET", "/x"))
        for what, call in (("the answer", waiting), ("taking the request", sending)):
            told = call.result(NOTICED_IN + MARGIN + TRIES)
            self.assertIsNotNone(told, f"still waits for {what}")
            self.assertIn(told[0], (502, 503), told)
        self.eventually(lambda: connections() == 1, NOTICED_IN + MARGIN)  # the one that asks
        self.assertGreater(time.monotonic() - pulled, NOTICED_IN / 2, "something else noticed it")


if __name__ == "__main__":
    unittest.main(verbosity=2)
