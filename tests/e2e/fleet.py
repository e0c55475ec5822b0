"""Starts whole fleets for tests: real processes, a temporary data folder, ports of their own."""

import http.client
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

SOURCE = pathlib.Path(os.environ.get("FLOTILLA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
PROGRAMS = pathlib.Path(os.environ.get("FLOTILLA_BIN", SOURCE / "build/release/bin"))
# The shop's, by their names, with their ports.
SERVICES = {name: int(port) for name, port in
            re.findall(r"^  ([\w-]+-service):\n    port: (\d+)$", (SOURCE / "flotilla.yaml").read_text(), re.M)}
PORTS = {"gateway": 3000, **SERVICES, "hub": 8500, "bus": 6380, "smtp": 2525}


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_offset(instances=1):
    """An offset at which every port of the fleet is free, below the range the kernel gives to clients."""
    ports = list(PORTS.values()) + [port + 100 * number for name, port in PORTS.items() if name.endswith("-service")
                                    for number in range(1, instances)]
    for _ in range(200):
        offset = random.randrange(1000, 23000)
        if all(is_free(port + offset) for port in ports):
            return offset
    raise RuntimeError("no free ports for a fleet")


def shop_with_instances(folder, instances):
    """The shop's flotilla.yaml with so many instances of each service."""
    text = (SOURCE / "flotilla.yaml").read_text().replace("gateway.yaml", str(SOURCE / "gateway.yaml"))
    text = re.sub(r"(-service:\n    port: \d+)", rf"\1\n    instances: {instances}", text)
    file = pathlib.Path(folder) / "flotilla.yaml"
    file.write_text(text)
    return file


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"


def call(port, method, path, body=None, headers=None, timeout=15):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        all_headers = dict(headers or {})
        text = None
        if body is not None:
            text = body if isinstance(body, (str, bytes)) else json.dumps(body)
            all_headers.setdefault("content-type", "application/json")
        connection.request(method, path, text, all_headers)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode())
    finally:
        connection.close()


def eventually(condition, patience=20.0, what="condition"):
    """Waits until the condition gives something true and returns it; looks every 20 ms."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.02)


class Fleet:
    """A running fleet; use as a context manager."""

    def __init__(self, data=None, file=None, instances=1, up=()):
        """instances: of each service of the shop. up: further arguments of `up`."""
        self.offset = free_offset(instances)
        self.folder = None if data else tempfile.TemporaryDirectory(prefix="flotilla-")
        self.data = pathlib.Path(data or self.folder.name)
        if instances > 1:
            file = shop_with_instances(self.data, instances)
        self.file = pathlib.Path(file or SOURCE / "flotilla.yaml")
        self.up_arguments = up

    def port(self, name):
        return PORTS[name] + self.offset

    def command(self, verb, *arguments):
        return [str(PROGRAMS / "flotilla"), verb, "--data", str(self.data), "--file", str(self.file), "--port-offset",
                str(self.offset), *arguments]

    def cli(self, verb, *arguments, check=True):
        done = subprocess.run(self.command(verb, *arguments), capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise AssertionError(f"flotilla {verb} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def up(self):
        return self.cli("up", "--detach", *self.up_arguments)

    def down(self):
        return self.cli("down")

    def status(self):
        return json.loads(self.cli("status", "--json", check=False).stdout)

    def members(self):
        return {member["name"]: member for member in self.status()["members"]}

    def state(self):
        return json.loads((self.data / "fleet.json").read_text())

    def logs(self):
        return "\n".join(f"--- {file.name}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-15:])
                         for file in sorted((self.data / "logs").glob("*.log")))

    def get(self, path, headers=None):
        return call(self.port("gateway"), "GET", path, headers=headers)

    def post(self, path, body=None, headers=None):
        return call(self.port("gateway"), "POST", path, body, headers)

    def new_user(self, name="Ada", email=None):
        email = email or f"{name.lower()}-{random.getrandbits(48):x}@example.com"
        answer = self.post("/api/users", {"email": email, "name": name})
        assert answer.status == 201, answer
        return answer.json()

    def mails(self, to=None):
        """What the catcher holds, or holds for one address; the newest thousand."""
        query = f"&to={urllib.parse.quote(to)}" if to else ""
        answer = call(self.port("hub"), "GET", f"/mail/messages?limit=1000{query}")
        assert answer.status == 200, answer
        return answer.json()

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            print(self.logs())
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, *_):
        if kind is not None and kind is not unittest.SkipTest:
            print(self.logs())
        self.cli("down", check=False)
        if self.folder:
            self.folder.cleanup()


def main():
    unittest.main(verbosity=2)
