#!/usr/bin/env python3
"""Sagas of a running fleet, as people look after them: ./flotilla sagas and ./flotilla saga check.

The fleet is a hub and examples/trip; its participants are here, and do what they are told.
"""

import http.server
import json
import pathlib
import sqlite3
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fleet as f  # noqa: E402

TRIP_PORT = 3050
FLEET = """
name: trips
services:
  trip-service:
    port: 3050
"""
MANY = 10_000


class Participants(http.server.ThreadingHTTPServer):
    """Flights and hotels. `answers`: by method and first word of the path, the status that is answered."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = {}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def join(self, fleet):
        for name in ("flight-service", "hotel-service"):
            answer = f.call(fleet.port("hub"), "PUT", "/v1/agent/service/register",
                            {"ID": name, "Name": name, "Address": "127.0.0.1", "Port": self.server_address[1]})
            if answer.status != 200:
                raise AssertionError(answer)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        what = f"{self.command} {self.path.split('/')[1]}"
        self.server.asked.append(what)
        status = self.server.answers.get(what, 200)
        body = {"reference": "r-1"} if status == 200 else {"code": "no_room", "title": "There is no room"}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json" if status == 200 else "application/problem+json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


class Sagas(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flotilla-sagas-")
        self.addCleanup(folder.cleanup)
        file = pathlib.Path(folder.name, "flotilla.yaml")
        file.write_text(FLEET)
        self.participants = Participants()
        self.addCleanup(self.participants.server_close)
        self.addCleanup(self.participants.shutdown)
        self.fleet = f.Fleet(file=file)
        self.fleet.__enter__()
        self.addCleanup(self.fleet.__exit__, None, None, None)
        self.participants.join(self.fleet)

    def book(self):
        answer = f.call(TRIP_PORT + self.fleet.offset, "POST", "/trips", {"flight": "LH 1", "hotel": "Ritz"})
        self.assertEqual(201, answer.status, answer)
        return answer.json()["id"]

    def sagas(self, *arguments, code=0):
        done = self.fleet.cli("sagas", *arguments, check=False)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done

    def listed(self, *arguments):
        services = json.loads(self.sagas("--json", *arguments).stdout)["services"]
        return [saga for service in services for saga in service["sagas"]]

    def status_of(self, saga):
        return json.loads(self.sagas("show", saga, "--json").stdout)["saga"]["status"]

    def park(self):
        """A trip whose hotel has no room, and whose flight cannot be cancelled for now."""
        self.participants.answers.update({"PUT rooms": 409, "DELETE seats": 409})
        saga = self.book()
        f.eventually(lambda: any(each["id"] == saga for each in self.listed("--parked")), what="it is parked")
        return saga

    # Goal: what holds a saga up is listed with its reason, shown with its history, and ends as it is told to.
    def test_parked_ones_are_shown_and_go_on(self):
        self.assertEqual("No saga is under way.\n", self.sagas().stdout)
        saga = self.park()
        shown = self.sagas("--parked").stdout
        for word in ("SERVICE", "trip-service", "journey", saga, "parked", "flight",
                     "the compensation of flight was refused: no_room: There is no room"):
            self.assertIn(word, shown)
        history = self.sagas("show", saga).stdout
        for word in ("started", "done", "refused", "compensating", "parked", "flight done"):
            self.assertIn(word, history)
        refused = self.sagas("abort", saga, code=1)
        self.assertIn(f"abort does not apply to {saga}", refused.stderr)
        self.participants.answers["DELETE seats"] = 200
        self.assertEqual("trip-service: retry of 1 saga is under way.\n", self.sagas("retry", saga).stdout)
        f.eventually(lambda: self.status_of(saga) == "COMPENSATED", what="it goes on")
        again = self.park()
        self.sagas("skip", again, "--reason", "cancelled by telephone")
        f.eventually(lambda: self.status_of(again) == "COMPENSATED", what="it is skipped")
        self.assertIn("cancelled by telephone", self.sagas("show", again).stdout)
        self.assertEqual("Every saga makes progress.\n", self.sagas("--stuck").stdout)

    # Goal: wrong use ends with 2, what is not there with 1, each in words.
    def test_wrong_use_is_told(self):
        self.assertIn("did you mean 'retry'", self.sagas("retri", "x", code=2).stderr)
        self.assertIn("retry which?", self.sagas("retry", code=2).stderr)
        self.assertIn("there is no saga x", self.sagas("show", "x", code=1).stderr)
        self.assertIn("there is no saga x", self.sagas("retry", "x", code=1).stderr)
        self.assertIn("no instance of flight-service runs", self.sagas("--service", "flight-service", code=1).stderr)
        self.assertEqual(2, self.fleet.cli("saga", "check", check=False).returncode)
        self.assertIn("did you mean 'trip-service'", self.fleet.cli("saga", "check", "trip-servic", check=False).stderr)

    # Goal: before an upgrade the program says which sagas it could not finish, while another one runs on the database.
    def test_check_before_an_upgrade(self):
        saga = self.park()
        self.assertIn("can finish every saga", self.fleet.cli("saga", "check", "trip-service").stdout)
        self.fleet.cli("down")
        database = sqlite3.connect(self.fleet.data / "data/trip-service/trip-service.db")
        with database:
            database.execute("UPDATE flotilla_sagas SET definition_version = 7")
        database.close()
        self.fleet.up()
        found = self.fleet.cli("saga", "check", "trip-service", check=False)
        self.assertEqual(1, found.returncode)
        self.assertEqual(f"journey {saga} at flight: this program has no journey version 7\n", found.stdout)

    # Goal: ten thousand parked sagas are finished by one command within 30 s.
    def test_many_parked_ones_go_on_by_one_command(self):
        saga = self.park()
        self.fleet.cli("down")
        database = sqlite3.connect(self.fleet.data / "data/trip-service/trip-service.db")
        columns = [row[1] for row in database.execute("PRAGMA table_info(flotilla_sagas)")]
        chosen = ", ".join("'many-' || n" if name == "id" else name for name in columns)
        with database:
            database.execute(f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY})"
                             f" INSERT INTO flotilla_sagas SELECT {chosen} FROM flotilla_sagas, numbers WHERE id = ?",
                             [saga])
            database.execute("UPDATE flotilla_saga_counts SET parked = parked + ?", [MANY])
        database.close()
        self.participants.answers["DELETE seats"] = 200
        self.fleet.up()
        self.participants.join(self.fleet)
        begin = time.monotonic()
        self.assertEqual(f"trip-service: retry of {MANY + 1} sagas is under way.\n", self.sagas("retry", "--parked").stdout)
        f.eventually(lambda: not self.listed(), patience=60, what="all have ended")
        took = time.monotonic() - begin
        print(f"\n{MANY} parked sagas were finished in {took:.1f} s", file=sys.stderr)
        self.assertLess(took, 30)


if __name__ == "__main__":
    f.main()
