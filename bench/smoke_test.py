#!/usr/bin/env python3
"""The benchmarks run and report well-formed rows. Nothing here looks at a time."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAMS = pathlib.Path(os.environ["FLOTILLA_BIN"])
SOURCE = pathlib.Path(os.environ["FLOTILLA_SOURCE"])
MEMBERS = ["bench", "what", "ours", "unit", "peer", "peer_value", "ratio", "target", "ok"]


class Smoke(unittest.TestCase):
    def setUp(self):
        self.data = tempfile.TemporaryDirectory(prefix="flotilla-bench-")
        self.addCleanup(self.data.cleanup)
        # A PATH without the peers: they are for measuring, and building them takes its time.
        self.path = pathlib.Path(self.data.name, "path")
        self.path.mkdir()

    def bench(self, *arguments):
        done = subprocess.run(
            [PROGRAMS / "flotilla-bench", "--rounds", "1", "--seconds", "0.1", "--data", self.data.name, *arguments],
            env={**os.environ, "FLOTILLA_HOME": str(SOURCE), "PATH": str(self.path)}, capture_output=True, text=True,
            timeout=50)
        self.assertEqual(0, done.returncode, done.stderr)
        left = [entry.name for entry in pathlib.Path(self.data.name).iterdir()]
        self.assertEqual(["path"], left, "temporary folders are gone")
        return done

    def rows(self, *arguments):
        done = self.bench("--json", *arguments)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        for row in rows:
            self.assertEqual(MEMBERS, list(row))
            self.assertGreater(row["ours"], 0)
        return rows, done.stderr

    # Goal: every row of a run is one object with the members that tools read, and a figure above zero.
    def test_store_gives_well_formed_rows(self):
        rows, _ = self.rows("store")
        self.assertTrue(all(row["bench"] == "store" and row["peer_value"] > 0 for row in rows))
        judged = [row for row in rows if row["target"] is not None]
        self.assertEqual(["1 concurrent"], [row["peer"] for row in judged])
        self.assertIn(judged[0]["ok"], (True, False))

    # Goal: what the client stack costs stands beside the bare client, and what it adds beside what is wanted.
    def test_calls_stand_beside_the_bare_client(self):
        rows = [json.loads(line) for line in self.bench("--json", "calls").stdout.splitlines()]
        self.assertEqual(["bare client", "wanted"], [row["peer"] for row in rows])
        self.assertEqual([None, 1], [row["target"] for row in rows])

    # Goal: overload is measured with shedding and without, each figure beside what an unloaded service gives.
    def test_overload_stands_beside_the_own_peak(self):
        rows = [json.loads(line) for line in self.bench("--json", "overload").stdout.splitlines()]
        self.assertEqual({"peak", "unloaded", "sent", "taking all"}, {row["peer"] for row in rows})
        self.assertEqual(["goodput at 3x, shedding", "p99 of served, shedding", "critical served, shedding"],
                         [row["what"] for row in rows if row["target"] is not None])

    # Goal: metastability stands beside naive retries, and only the framework is judged.
    def test_metastability_stands_beside_naive_retries(self):
        rows = [json.loads(line) for line in self.bench("--json", "metastability").stdout.splitlines()]
        figures = ["goodput is back, longest", "goodput is back, median", "goodput at the end"]
        self.assertEqual([f"{figure}, {kind}" for kind in ("framework", "naive retries") for figure in figures],
                         [row["what"] for row in rows])
        self.assertEqual(["goodput is back, longest, framework", "goodput at the end, framework"],
                         [row["what"] for row in rows if row["target"] is not None])

    # Goal: a peer that is not there is named as skipped, and nothing is made up for it.
    def test_missing_peers_are_skipped(self):
        if any(pathlib.Path(folder, name).exists() for folder in ("/usr/sbin", "/usr/local/sbin")
               for name in ("go", "node")):
            self.skipTest("a peer lives where PATH does not matter")
        rows, said = self.rows("service")
        self.assertEqual({"go", "fastify"}, {row["peer"] for row in rows})
        self.assertTrue(all(row["peer_value"] is None and row["ratio"] is None and row["ok"] is None for row in rows))
        self.assertIn("skipped: go", said)
        self.assertIn("skipped: fastify", said)

    # Goal: without --json there is one table, with a heading.
    def test_table_has_heading(self):
        lines = self.bench("service").stdout.splitlines()
        self.assertEqual(["bench", "what", "ours"], lines[0].split()[:3])
        self.assertEqual({"service"}, {line.split()[0] for line in lines[1:]})


if __name__ == "__main__":
    unittest.main(verbosity=2)
