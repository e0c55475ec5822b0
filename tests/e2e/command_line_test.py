#!/usr/bin/env python3
"""What the command line promises: two fleets, a killed supervisor, a failing service, a foreground fleet."""

import os
import signal
import subprocess
import tempfile
import unittest

import yaml_text
import fleet as f


class CommandLine(unittest.TestCase):
    # Goal: two fleets with different data and ports live side by side and know nothing of each other.
    def test_two_fleets_side_by_side(self):
        with f.Fleet() as one, f.Fleet() as two:
            user = one.new_user()
            self.assertEqual(200, one.get(f"/api/users/{user['id']}").status)
            self.assertEqual(404, two.get(f"/api/users/{user['id']}").status)
            one.down()
            self.assertEqual(404, two.get(f"/api/users/{user['id']}").status)

    # Goal: kill -9 of a foreground `up` leaves a fleet that status shows and down stops.
    def test_killed_supervisor_leaves_a_fleet(self):
        fleet = f.Fleet()
        try:
            supervisor = subprocess.Popen(fleet.command("up"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                          stdin=subprocess.DEVNULL)
            f.eventually(lambda: fleet.status()["members"] and all(m["state"] == "ok" for m in fleet.members().values()),
                         what="the foreground fleet is ready")
            supervisor.kill()
            supervisor.wait()
            status = fleet.status()
            self.assertFalse(status["supervised"])
            self.assertEqual(["ok"] * 6, [m["state"] for m in status["members"]])
            fleet.down()
            self.assertTrue(all(f.is_free(fleet.port(name)) for name in f.PORTS))
        finally:
            fleet.__exit__(None, None, None)

    # Goal: Ctrl-C on a foreground fleet stops everything and exits 0.
    def test_interrupt_stops_everything(self):
        fleet = f.Fleet()
        try:
            supervisor = subprocess.Popen(fleet.command("up"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          stdin=subprocess.DEVNULL, text=True)
            for line in supervisor.stdout:
                if "Ctrl-C" in line:
                    break
            supervisor.send_signal(signal.SIGINT)
            self.assertEqual(0, supervisor.wait(timeout=60))
            supervisor.stdout.close()
            self.assertTrue(all(f.is_free(fleet.port(name)) for name in f.PORTS))
            self.assertEqual([], fleet.status()["members"])
        finally:
            fleet.__exit__(None, None, None)

    # Goal: a service that cannot start fails `up`, which shows the service's last log lines and stops the rest.
    def test_failing_service_is_shown(self):
        with tempfile.TemporaryDirectory() as folder:
            file = yaml_text.write(folder, "user-service:\n    port: 3001\n    settings:\n      nonsense: 1\n")
            fleet = f.Fleet(file=file)
            try:
                failed = fleet.cli("up", "--detach", check=False)
                self.assertNotEqual(0, failed.returncode)
                self.assertIn("user-service ended while starting (exit code 1)", failed.stderr)
                self.assertIn("--set nonsense: there is no such setting", failed.stderr)
                self.assertTrue(all(f.is_free(fleet.port(name)) for name in f.PORTS))
            finally:
                fleet.__exit__(None, None, None)

    # Goal: two services on one database are refused before anything starts.
    def test_shared_database_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            database = f"sqlite:{folder}/shared.db"
            file = yaml_text.write(folder, f"user-service:\n    port: 3001\n    database: {database}\n"
                                           f"  order-service:\n    port: 3002\n    database: {database}\n")
            fleet = f.Fleet(file=file)
            failed = fleet.cli("up", "--detach", check=False)
            fleet.__exit__(None, None, None)
            self.assertNotEqual(0, failed.returncode)
            self.assertIn("each needs its own", failed.stderr)

    # Goal: two processes on one file are refused by the database itself, whoever started them.
    def test_second_process_on_a_database_is_refused(self):
        with f.Fleet() as fleet:
            database = next((fleet.data / "data/user-service").glob("*.db"))
            with tempfile.TemporaryDirectory() as folder:
                second = subprocess.run([str(f.PROGRAMS / "order-service"), "--port", "0", "--data", folder, "--registry", "none",
                                         "--database", f"sqlite:{database}"], capture_output=True, text=True, timeout=30)
            self.assertEqual(1, second.returncode)
            self.assertIn("user-service", second.stdout)

    # Goal: a wrong key in flotilla.yaml is named with file, line and the nearest valid one.
    def test_wrong_key_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            file = yaml_text.write(folder, "user-service:\n    prot: 3001\n")
            fleet = f.Fleet(file=file)
            failed = fleet.cli("up", "--detach", check=False)
            fleet.__exit__(None, None, None)
            self.assertNotEqual(0, failed.returncode)
            self.assertRegex(failed.stderr, r"flotilla\.yaml:\d+:\d+: user-service: unknown key 'prot'; did you mean 'port'\?")

    # Goal: a process that dies is restarted, and the restart is shown.
    def test_dead_service_is_restarted(self):
        with f.Fleet() as fleet:
            os.kill(fleet.members()["product-service"]["pid"], signal.SIGKILL)
            f.eventually(lambda: fleet.members()["product-service"]["restarts"] == 1 and
                         fleet.members()["product-service"]["state"] == "ok", what="restarted")
            self.assertIn("killed by signal 9", fleet.cli("logs", "fleet").stdout)


if __name__ == "__main__":
    f.main()
