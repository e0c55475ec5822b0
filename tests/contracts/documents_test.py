#!/usr/bin/env python3
"""Every service gives its contract as documents that validators of others accept."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]
import fleet as f  # noqa: E402
import npm_packages  # noqa: E402

APIS = {folder.parent.name + "-service": folder for folder in f.SOURCE.glob("services/*/api")}
SERVICES = sorted(p.name for p in f.PROGRAMS.glob("*-service") if p.name in APIS)
TOPIC = re.compile(r'Topic<\w+>\s+\w+\{\s*"([^"]+)"')
ENDPOINT = re.compile(r'Endpoint<[^;]*?\{\s*service,\s*(?:flotilla::)?Method::(\w+),\s*"([^"]+)"')


def answers(port):
    try:
        return f.call(port, "GET", "/livez").status == 200
    except OSError:
        return False


@contextlib.contextmanager
def running(name):
    """The port of a service that runs alone."""
    port = next(p for p in range(20000 + os.getpid() % 10000, 65000) if f.is_free(p))
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder) / "log"
        with log.open("w") as output:
            service = subprocess.Popen([str(f.PROGRAMS / name), "--port", str(port), "--data", folder, "--registry", "none",
                                        "--bus", "redis://127.0.0.1:1"], stdout=output, stderr=subprocess.STDOUT)
        try:
            f.eventually(lambda: service.poll() is not None or answers(port), what=f"{name} answers")
            if service.poll() is not None:
                raise AssertionError(f"{name} ended: {log.read_text()}")
            yield port
            service.send_signal(signal.SIGTERM)
            service.wait(timeout=20)
        finally:
            service.kill()
            service.wait()


def api_text(name):
    return "\n".join(header.read_text() for header in sorted(APIS[name].glob("*.hpp")))


def fetch(port, path):
    answer = f.call(port, "GET", path)
    if answer.status != 200 or answer.headers["content-type"] != "application/json":
        raise AssertionError(f"{path}: {answer} {answer.headers}")
    return answer.body


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = npm_packages.install(TESTS / "contracts/node", f.PROGRAMS.parent)
        cls.documents = {}
        for name in SERVICES:
            with running(name) as port:
                cls.documents[name] = {"openapi": fetch(port, "/openapi.json"), "asyncapi": fetch(port, "/asyncapi.json")}

    def problems(self, documents):
        checked = subprocess.run(["node", "validate.js"], cwd=self.folder, input=json.dumps(documents), text=True,
                                 stdout=subprocess.PIPE, check=True, timeout=60)
        return json.loads(checked.stdout)

    # Goal: both documents of every service are valid by the rules of their specification.
    def test_validators_accept_every_document(self):
        self.assertEqual(set(APIS), set(self.documents))
        for name, documents in self.documents.items():
            with self.subTest(name):
                self.assertEqual([], self.problems(documents))

    # Goal: the validators do refuse what is wrong.
    def test_validators_refuse_broken_documents(self):
        broken = {kind: json.loads(text) for kind, text in self.documents["order-service"].items()}
        broken["openapi"]["components"]["schemas"].pop("Problem")
        broken["asyncapi"]["operations"]["sendOrderCreated"]["action"] = "shout"
        found = self.problems({kind: json.dumps(document) for kind, document in broken.items()})
        self.assertEqual(["openapi", "asyncapi"], [problem["document"] for problem in found])

    # Goal: what the contract's header declares is in the documents: no endpoint and no published topic is forgotten.
    def test_documents_show_the_whole_contract(self):
        for name, documents in self.documents.items():
            with self.subTest(name):
                paths = json.loads(documents["openapi"])["paths"]
                shown = {(method, path) for path, operations in paths.items() for method in operations}
                declared = {(method.rstrip("_"), path) for method, path in ENDPOINT.findall(api_text(name))}
                self.assertEqual(declared, shown)
                operations = json.loads(documents["asyncapi"])["operations"].values()
                sent = {o["channel"]["$ref"].removeprefix("#/channels/") for o in operations if o["action"] == "send"}
                self.assertEqual(set(TOPIC.findall(api_text(name))), sent)

    # Goal: what a service hears is in its document.
    def test_heard_topics_are_received(self):
        operations = json.loads(self.documents["notification-service"]["asyncapi"])["operations"]
        heard = ["receiveUserCreated", "receiveOrderConfirmed", "receiveOrderCancelled", "receiveShippingDispatched"]
        self.assertEqual(dict.fromkeys(heard, "receive"),
                         {name: operation["action"] for name, operation in operations.items()})


if __name__ == "__main__":
    f.main()
