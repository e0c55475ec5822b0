#!/usr/bin/env python3
"""The hub beside Consul 1.20: the same requests in the same order, answer by answer.

consul/recorded.jsonl    what a real Consul 1.20.0 was asked and answered, as it was recorded
consul/additions.jsonl   what is sent besides, each before the recorded request it names, or after all of them: requests
                         that the recording left out but whose effect it shows, and further ones whose answers come from
                         Consul's source (the file is named). `same_as`: answered as that recorded request.
consul/differences.json  where the hub answers differently, and why. Nothing else may differ, and nothing may be listed
                         that does not differ any more.

With `--differences` the script prints that list as it should be, for a person to give the reasons of what is new. A real
Consul, found on PATH or named by CONSUL, is asked the same first, and the hub is compared with its answers then.
"""

import ast
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import sys
import time
import unittest

import servers
import fleet

DATA = pathlib.Path(__file__).parent / "consul"
HEADERS = ("content-type", "allow", "location", "x-consul-index", "x-consul-knownleader", "x-consul-lastcontact")
ABSENT = "(absent)"
NEW = "WHY?"
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
# The recorded Consul's ports; and those that the hub says it would have.
CONSUL_PORTS = {"server": "32300", "serf-lan": "32301", "serf-wan": "32302", "grpc": "32502", "grpc-tls": "32503"}
PORTS = {"32300": "8300", "32301": "8301", "32302": "8302"}
ANOTHER = "(what goes with its status)"
# Recorded as text, which what is compressed is not.
BODY_NOT_RECORDED = {"gzip"}


def json_lines(name):
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def requests():
    """All there is to ask, in order, with Consul's answers."""
    recorded, additions = json_lines("recorded.jsonl"), json_lines("additions.jsonl")
    by_name = {each["name"]: each for each in recorded}
    for each in additions:
        if "same_as" in each:
            each.update({key: by_name[each["same_as"]][key] for key in ("headers", "response")})
    everything = []
    for each in recorded:
        everything += [addition for addition in additions if addition["before"] == each["name"]]
        everything.append(each)
    everything += [addition for addition in additions if addition["before"] is None]
    assert len(everything) == len(recorded) + len(additions), "an addition names no recorded request"
    assert len({each["name"] for each in everything}) == len(everything), "two requests have one name"
    return everything


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


class Names:
    """What differs from run to run, session ids and indexes, as Consul named it and as it is named here."""

    def __init__(self):
        self.ids, self.indexes = {}, {}

    def learn(self, there, here):
        """From two answers of the same shape."""
        if isinstance(there, dict) and isinstance(here, dict):
            for key in there.keys() & here.keys():
                ours, theirs = here[key], there[key]
                if key in ("ID", "id") and isinstance(ours, str) and UUID.match(str(theirs)) and UUID.match(ours):
                    self.ids[theirs] = ours
                elif key == "ContentHash":
                    self.ids[theirs] = ours
                elif key in ("CreateIndex", "ModifyIndex"):
                    self.indexes[theirs] = ours
                else:
                    self.learn(theirs, ours)
        elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here) == 1:
            self.learn(there[0], here[0])  # of more, which is which may depend on their random ids

    def here(self, text):
        for theirs, ours in self.ids.items():
            text = text.replace(theirs, ours)
        return re.sub(r"\b(cas|index)=(\d+)", lambda m: f"{m[1]}={self.indexes.get(int(m[2]), m[2])}", text)

    def there(self, text):
        for theirs, ours in self.ids.items():
            text = text.replace(ours, theirs)
        return text


def comparable(value):
    """An answer's JSON without what no two runs share."""
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and "LockDelay" in value[0]:
            value = sorted(value, key=lambda session: session["CreateIndex"])  # they come by their random ids
        return [comparable(each) for each in value]
    if not isinstance(value, dict):
        return value
    result = {key: comparable(each) for key, each in value.items()}
    if result.get("CreateIndex"):
        # Of what clients write themselves, whether it was written again since.
        again = value["CreateIndex"] != value["ModifyIndex"] and ("LockIndex" in value or "LockDelay" in value)
        result["CreateIndex"], result["ModifyIndex"] = "#", "# again" if again else "#"
    if "ContentHash" in result:
        result["ContentHash"] = "#"
    if result.get("Type") in ("http", "tcp"):
        result["Output"] = "#"  # whether the first probe was over
    return result


def answer_of(status, headers, text, without_body):
    kept = {name: headers[name] for name in HEADERS if name in headers}
    if "x-consul-index" in kept:
        kept["x-consul-index"] = "#"
    for theirs, ours in PORTS.items():
        text = text.replace(theirs, ours)
    return {"status": status, "headers": kept, "body": ABSENT if without_body else comparable(parsed(text))}


def differing_answers(there, here):
    """Where two answers differ. Of two that agree in nothing only the hub's is told."""
    if there["status"] != here["status"]:
        there = there | {"body": ANOTHER, "headers": ANOTHER}
    return differing(there, here)


def differing(there, here, path=""):
    """Where two values differ: {path: [Consul's, the hub's]}."""
    if isinstance(there, dict) and isinstance(here, dict):
        parts = sorted(there.keys() | here.keys())
        pairs = [(part, there.get(part, ABSENT), here.get(part, ABSENT)) for part in parts]
    elif isinstance(there, list) and isinstance(here, list) and there and here:
        pairs = [(index, there[index] if index < len(there) else ABSENT, here[index] if index < len(here) else ABSENT)
                 for index in range(max(len(there), len(here)))]
    else:
        return {} if there == here and type(there) is type(here) else {path: [there, here]}
    found = {}
    for part, theirs, ours in pairs:
        found |= differing(theirs, ours, f"{path}/{part}")
    return found


def bytes_of(body):
    """A body as it was recorded: as text, or, where it was none, as Python writes bytes."""
    if body is None:
        return None
    return ast.literal_eval(json.loads(body)) if body.startswith('"b\'') else body.encode()


class Server:
    """Whoever answers at a port, asked over one connection."""

    def __init__(self, port, pause=0):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.pause = pause  # until what an agent was told is in Consul's catalogue

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, method, path, body):
        # Nothing ends their waiting; how long it takes says nothing.
        self.connection.request(method, path.replace("wait=1s", "wait=20ms"), body)
        response = self.connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        text = response.read().decode("utf-8", "replace")
        if method == "PUT" and "/v1/agent/" in path:
            time.sleep(self.pause)
        return response.status, headers, text


def replay(server, expected):
    """Asks a server everything; gives pairs of an expectation and what was answered, in the names of the expectation."""
    names = Names()
    for each in expected:
        body = names.here(each["body"]) if each["body"] is not None else None
        status, headers, text = server.ask(each["method"], names.here(each["path"]), bytes_of(body))
        names.learn(parsed(each["response"]), parsed(text))
        # The hub's own pages name their ports, and requests.
        without_body = each["name"] in BODY_NOT_RECORDED or not each["path"].startswith("/v1/")
        yield (each, answer_of(each["status"], each["headers"], each["response"], without_body),
               answer_of(status, headers, names.there(text), without_body))


def differences(server, expected):
    found = {}
    for each, there, here in replay(server, expected):
        differs = differing_answers(there, here)
        if differs:
            found[each["name"]] = differs
    return found


def record(consul, expected):
    """The same requests with the answers of this Consul."""
    recorded = []
    names = Names()
    with Server(consul.ports["http"], pause=0.2) as server:
        for each in expected:
            path = names.here(each["path"])
            body = names.here(each["body"]) if each["body"] is not None else None
            status, headers, text = server.ask(each["method"], path, bytes_of(body))
            names.learn(parsed(each["response"]), parsed(text))
            for kind, port in CONSUL_PORTS.items():
                text = text.replace(str(consul.ports[kind]), port)
            recorded.append(each | {"path": path, "body": body, "status": status, "headers": headers, "response": text})
    return recorded


class Consul(servers.Process):
    """A real Consul, alone and in memory."""

    def __init__(self, program):
        super().__init__()
        self.ports = {}
        while len(self.ports) <= len(CONSUL_PORTS):
            port = random.randrange(20000, 30000)
            if port not in self.ports.values() and fleet.is_free(port):
                self.ports[["http", *CONSUL_PORTS][len(self.ports)]] = port
        command = [program, "agent", "-dev", "-node", "flotilla", "-bind", "127.0.0.1", "-dns-port", "-1"]
        for kind, port in self.ports.items():
            command += [f"-{kind}-port", str(port)]
        self.start(command, self.has_leader)

    def has_leader(self):
        try:
            answer = servers.call(self.ports["http"], "GET", "/v1/status/leader")
            return answer.status == 200 and len(answer.body) > len('""')
        except OSError:
            return False


class RecordedConsul(unittest.TestCase):
    def compare(self, expected):
        listed = json.loads((DATA / "differences.json").read_text())
        with servers.Hub() as hub, Server(hub.ports["http"]) as server:
            found = differences(server, expected)
        for name in sorted(found.keys() | listed["differences"].keys()):
            with self.subTest(request=name):
                known = listed["differences"].get(name, {"differs": {}})
                self.assertEqual(known["differs"], found.get(name, {}), "listed (Consul, hub), then found")
                self.assertIn(known.get("reason"), listed["reasons"], "a difference without a reason")
        unused = listed["reasons"].keys() - {each["reason"] for each in listed["differences"].values()}
        self.assertEqual(set(), unused, "reasons of nothing")

    # Goal: the hub answers as Consul 1.20 did, but for what is listed with a reason.
    def test_hub_answers_as_consul_did(self):
        self.compare(requests())

    # Goal: the same beside a Consul that runs.
    def test_hub_answers_as_consul_does(self):
        program = os.environ.get("CONSUL") or shutil.which("consul")
        if not program:
            self.skipTest("no consul on PATH, and none named by CONSUL")
        with Consul(program) as consul:
            self.compare(record(consul, requests()))


def print_differences():
    listed = json.loads((DATA / "differences.json").read_text())
    with servers.Hub() as hub, Server(hub.ports["http"]) as server:
        found = differences(server, requests())
    known = listed["differences"]
    listed["differences"] = {name: {"reason": known.get(name, {}).get("reason", NEW), "differs": differs}
                             for name, differs in found.items()}
    print(json.dumps(listed, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    if "--differences" in sys.argv:
        print_differences()
    else:
        servers.main()
