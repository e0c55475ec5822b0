#!/usr/bin/env python3
"""What the command line promises: two fleets, a killed supervisor, a failing service, a foreground fleet."""

import concurrent.futures
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
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
            f.eventually(lambda: "every member is ready" in fleet.cli("logs", "fleet", check=False).stdout,
                         what="the foreground fleet is ready")
            supervisor.kill()
            supervisor.wait()
            status = fleet.status()
            self.assertFalse(status["supervised"])
            self.assertEqual(["ok"] * len(f.PORTS.keys() - {"bus", "smtp"}), [m["state"] for m in status["members"]])
            fleet.down()
            self.assertTrue(all(f.is_free(fleet.port(name)) for name in f.PORTS))
        finally:
            fleet.__exit__(None, None, None)

    # Goal: Ctrl-C on a foreground fleet stops everything and exits 0.
    def test_interrupt_stops_everything(self):
        self.stops_everything(signal.SIGINT)

    # Goal: closing the terminal of a foreground fleet stops everything, too.
    def test_closed_terminal_stops_everything(self):
        self.stops_everything(signal.SIGHUP)

    # Goal: under nohup it stays; the fleet can still be refreshed from elsewhere.
    def test_nohup_keeps_a_foreground_fleet(self):
        fleet = f.Fleet()
        try:
            supervisor = subprocess.Popen(["nohup", *fleet.command("up")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                          stdin=subprocess.DEVNULL, text=True)
            for line in supervisor.stdout:
                if "Ctrl-C" in line:
                    break
            supervisor.send_signal(signal.SIGHUP)
            fleet.up()
            fleet.down()
            self.assertEqual(0, supervisor.wait(timeout=60))
            supervisor.stdout.close()
        finally:
            fleet.__exit__(None, None, None)

    def stops_everything(self, stop):
        fleet = f.Fleet()
        try:
            supervisor = subprocess.Popen(fleet.command("up"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          stdin=subprocess.DEVNULL, text=True)
            for line in supervisor.stdout:
                self.assertNotIn("degraded", line)
                if "Ctrl-C" in line:
                    break
            supervisor.send_signal(stop)
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

    # Goal: a wrong option of calls to a service is named by a service that is started by hand, too.
    def test_wrong_target_is_named(self):
        settings = "*.retry.retries=1;user-service.retry.retires=2"
        for arguments, variables in (["--target", settings], {}), ([], {"FLOTILLA_TARGET": settings}):
            ended = subprocess.run([str(f.PROGRAMS / "order-service"), "--port", "0", *arguments], env={**os.environ, **variables},
                                   capture_output=True, text=True, timeout=30)
            self.assertEqual(2, ended.returncode)
            self.assertIn("--target user-service.retry.retires=2: there is no option 'retry.retires'; did you mean 'retry.retries'?",
                          ended.stderr)

    # Goal: a process that dies is restarted, and the restart is shown.
    def test_dead_service_is_restarted(self):
        with f.Fleet() as fleet:
            self.restarts_what_dies(fleet)
            self.assertIn("killed by signal 9", fleet.cli("logs", "fleet").stdout)

    def restarts_what_dies(self, fleet):
        member = f.eventually(lambda: fleet.members().get("product-service", {}).get("pid"), what="a member to kill")
        os.kill(member, signal.SIGKILL)
        f.eventually(lambda: fleet.members()["product-service"]["restarts"] == 1 and
                     fleet.members()["product-service"]["state"] == "ok", what="restarted")

    # Goal: a foreground `up` whose reader has gone (`up | head -1`) goes on supervising.
    def test_closed_output_does_not_end_the_supervisor(self):
        fleet = f.Fleet()
        try:
            supervisor = subprocess.Popen(fleet.command("up"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                          stdin=subprocess.DEVNULL, text=True)
            self.assertIn("Starting the fleet", supervisor.stdout.readline())
            supervisor.stdout.close()
            f.eventually(lambda: "every member is ready" in fleet.cli("logs", "fleet", check=False).stdout,
                         what="the foreground fleet is ready")
            self.restarts_what_dies(fleet)
            supervisor.send_signal(signal.SIGTERM)
            self.assertEqual(0, supervisor.wait(timeout=60))
        finally:
            fleet.__exit__(None, None, None)

    # Goal: an `up --detach` that is killed while it waits leaves a fleet that comes up and is supervised.
    def test_killed_command_leaves_a_supervised_fleet(self):
        fleet = f.Fleet()
        try:
            waiting = subprocess.Popen(fleet.command("up", "--detach"), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            f.eventually((fleet.data / "fleet.json").exists, what="the supervisor begins")
            waiting.kill()
            self.assertEqual(-signal.SIGKILL, waiting.wait())
            f.eventually(lambda: "every member is ready" in fleet.cli("logs", "fleet", check=False).stdout,
                         what="the fleet is ready")
            self.restarts_what_dies(fleet)
            self.assertTrue(fleet.status()["supervised"])
        finally:
            fleet.__exit__(None, None, None)

    # Goal: an `up` that cannot start a dead member leaves the living ones of a killed supervisor alone; the next takes
    # them over.
    def test_failed_up_leaves_the_living_members(self):
        with f.Fleet() as fleet:
            before = {name: member["pid"] for name, member in fleet.members().items()}
            os.kill(fleet.state()["supervisor"]["pid"], signal.SIGKILL)
            os.kill(before.pop("product-service"), signal.SIGKILL)
            f.eventually(lambda: f.is_free(fleet.port("product-service")), what="the port is free")
            with socket.socket() as stranger:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                stranger.bind(("127.0.0.1", fleet.port("product-service")))
                stranger.listen()
                failed = fleet.cli("up", "--detach", check=False)
                self.assertEqual(1, failed.returncode)
                self.assertIn(f"{fleet.port('product-service')}", failed.stderr)
                self.assertIn("What ran before still runs", failed.stderr)
                left = {name: member["pid"] for name, member in fleet.members().items() if member["pid"]}
                self.assertEqual(before, left)
            fleet.up()
            after = fleet.members()
            self.assertEqual(before, {name: after[name]["pid"] for name in before})
            self.assertTrue(fleet.status()["supervised"])

    # Goal: `up --detach` on a running fleet restarts the gateway for a changed gateway.yaml, nothing else, and shows
    # it settled; a fleet file that is not the running one's is refused; what a bad setting breaks is told at once.
    def test_refresh_takes_what_has_changed(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name in ("flotilla.yaml", "gateway.yaml"):
                shutil.copy(f.SOURCE / name, folder / name)
            with f.Fleet(file=folder / "flotilla.yaml") as fleet:
                before = fleet.members()
                routes = folder / "gateway.yaml"
                routes.write_text(routes.read_text() + "\n# changed\n")
                table = fleet.up().stdout
                after = fleet.members()
                self.assertEqual(["gateway"], [name for name in after if after[name]["pid"] != before[name]["pid"]])
                self.assertNotIn("degraded", table)

                other = folder / "other.yaml"
                shutil.copy(folder / "flotilla.yaml", other)
                refused = subprocess.run([str(f.PROGRAMS / "flotilla"), "up", "-d", "--data", str(fleet.data), "-f", str(other),
                                          "--port-offset", str(fleet.offset)], capture_output=True, text=True, timeout=30)
                self.assertEqual(1, refused.returncode)
                self.assertIn(f"was started from {fleet.file}, not from {other}", refused.stderr)

                text = fleet.file.read_text()
                fleet.file.write_text(text.replace("port: 3001\n", "port: 3001\n    settings: {nonsense: 1}\n"))
                started = time.monotonic()
                failed = fleet.cli("up", "--detach", check=False)
                self.assertEqual(1, failed.returncode)
                self.assertLess(time.monotonic() - started, 20)
                self.assertIn("user-service ended while starting (exit code 1)", failed.stderr)
                self.assertIn("--set nonsense: there is no such setting", failed.stderr)

    # Goal: a data folder that cannot be used is one clear message, whatever is wrong with it.
    def test_unusable_data_folder_is_explained(self):
        for data, message in (("", "the data folder's name is empty"),
                              ("/etc/hostname", "cannot make the folder /etc/hostname/logs: Not a directory")):
            for verb in (["up"], ["up", "--detach"]):
                failed = subprocess.run([str(f.PROGRAMS / "flotilla"), *verb, "--data", data], capture_output=True, text=True,
                                        timeout=30)
                self.assertEqual(1, failed.returncode)
                self.assertIn(message, failed.stderr)
                self.assertEqual(1, failed.stderr.count("\n"))

    # Goal: who may not write the data folder, or not stop the fleet, is told so at once.
    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root, to become somebody else")
    def test_another_user_is_told_at_once(self):
        somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        with f.Fleet() as fleet:
            fleet.data.chmod(0o755)
            started = time.monotonic()
            for verb, message in (("down", "belongs to another user"), ("up", "belongs to another user")):
                command = fleet.command(verb, *(["--detach"] if verb == "up" else []))
                failed = subprocess.run(somebody + command, capture_output=True, text=True, timeout=120)
                self.assertEqual(1, failed.returncode)
                self.assertIn(message, failed.stderr)
            self.assertLess(time.monotonic() - started, 5)
            self.assertTrue(fleet.status()["supervised"])
            fleet.down()
            failed = subprocess.run(somebody + fleet.command("up", "--detach"), capture_output=True, text=True, timeout=30)
            self.assertEqual(1, failed.returncode)
            self.assertEqual(f"cannot open {fleet.data}/fleet.lock: Permission denied\n", failed.stderr)

    # Goal: the script refuses what it does not know before it installs or builds anything.
    def test_script_refuses_unknown_arguments(self):
        for arguments, message in ((["build", "--presett", "dev"], "build: unknown argument '--presett'"),
                                   (["build", "--preset", "nonsense"], "build: unknown preset 'nonsense'"),
                                   (["build", "--presett", "dev"], "did you mean '--preset'? (see ./flotilla help)"),
                                   (["up", "--bogus"], "up: unknown argument '--bogus' (see ./flotilla help)"),
                                   (["up", "--port-ofset=5"], "'--port-ofset=5'; did you mean '--port-offset'? (see"),
                                   (["test", "--reless"], "test: unknown argument '--reless'; did you mean '--release'?"),
                                   (["stauts"], "unknown command 'stauts'; did you mean 'status'? (see ./flotilla help)"),
                                   (["up", "--data"], "up: --data needs a value")):
            refused = subprocess.run([str(f.SOURCE / "flotilla"), *arguments], capture_output=True, text=True, timeout=30)
            self.assertEqual(1, refused.returncode)
            self.assertIn(message, refused.stderr)
            self.assertEqual("", refused.stdout)
            self.assertEqual(1, refused.stderr.count("\n"))
        for verb in ("build", "test", "up"):
            shown = subprocess.run([str(f.SOURCE / "flotilla"), verb, "--help"], capture_output=True, text=True, timeout=30)
            self.assertEqual(0, shown.returncode, shown.stderr)


class Chaos(unittest.TestCase):
    # Goal: every fault acts on the instance it was put into and on no other, is shown, and ends; refusals say what to do.
    def test_faults_are_met_and_healed(self):
        with f.Fleet(instances=2, up=("--chaos",)) as fleet:
            first, second = fleet.port("product-service"), fleet.port("product-service") + 100

            def products(port):
                return f.call(port, "GET", "/products").status

            fleet.cli("chaos", "fail", "product-service.1", "100")
            f.eventually(lambda: products(first) == 500, what="it fails")
            self.assertEqual(200, products(second))
            self.assertEqual("on purpose: fails 100 % of its requests", fleet.members()["product-service.1"]["detail"])
            fleet.cli("chaos", "heal", "product-service.1")
            f.eventually(lambda: products(first) == 200, what="it is healed")

            def seconds(port):
                begun = time.monotonic()
                products(port)
                return time.monotonic() - begun

            fleet.cli("chaos", "slow", "product-service.2", "400")
            f.eventually(lambda: seconds(second) >= 0.4, what="it is slow")
            self.assertLess(seconds(first), 0.4)

            self.cut(fleet)

            fleet.cli("chaos", "stop", "product-service.1")
            self.assertEqual(("not ready", "on purpose: stopped"),
                             tuple(fleet.members()["product-service.1"][key] for key in ("state", "detail")))
            shown = fleet.cli("chaos").stdout
            self.assertIn("product-service.1  stopped", shown)
            self.assertIn("product-service.2  answers 400 ms later", shown)
            self.assertEqual("product-service.1, product-service.2 are as they were.\n", fleet.cli("chaos", "heal").stdout)
            f.eventually(lambda: products(first) == 200, what="it goes on")

            fleet.cli("chaos", "kill", "product-service.2")
            f.eventually(lambda: fleet.members()["product-service.2"]["restarts"] == 1, what="it was started again")

            refused = fleet.cli("chaos", "kil", "product-service.2", check=False)
            self.assertEqual((2, "chaos: unknown action 'kil'; did you mean 'kill'?\n"), (refused.returncode, refused.stderr))
            fleet.cli("chaos", "stop", "order-service.1")
            begun = time.monotonic()
            fleet.down()  # with one that is stopped
            self.assertLess(time.monotonic() - begun, 12)
            self.assertEqual([], list((fleet.data / "run").glob("*.faults")))

    def cut(self, fleet):
        user = fleet.new_user()
        items = [{"productId": "p-0001", "quantity": 1}]

        def order():
            return fleet.post("/api/orders", {"userId": user["id"], "items": items}).status

        fleet.cli("chaos", "cut", "order-service", "user-service")
        f.eventually(lambda: order() == 503, what="the order service does not reach the user service")
        self.assertEqual(200, fleet.get(f"/api/users/{user['id']}").status)
        fleet.cli("chaos", "heal", "order-service")
        f.eventually(lambda: order() == 201, what="it reaches it again")

    # Goal: a fleet that was not started for them takes no faults, but signals.
    def test_faults_are_refused_elsewhere(self):
        with f.Fleet() as fleet:
            refused = fleet.cli("chaos", "slow", "user-service", "10", check=False)
            self.assertEqual(1, refused.returncode)
            self.assertIn("take no faults (kill and stop need none): start it with `./flotilla up --chaos", refused.stderr)
            refused = fleet.cli("up", "--detach", "--chaos", check=False)
            self.assertEqual(1, refused.returncode)
            self.assertIn("was started without --chaos; stop it first", refused.stderr)
            fleet.cli("chaos", "kill", "user-service")
            f.eventually(lambda: fleet.members()["user-service"]["restarts"] == 1, what="it was started again")


class Instances(unittest.TestCase):
    # One request that reaches both instances at once is carried out once.
    def both_at_once(self, fleet):
        ports = [fleet.port("user-service"), fleet.port("user-service") + 100]
        for number in range(20):
            body = {"email": f"twice-{number}@example.com", "name": "Twice"}
            with concurrent.futures.ThreadPoolExecutor() as threads:
                answers = list(threads.map(lambda port: f.call(port, "POST", "/users", body,
                                                               {"idempotency-key": f"both-{number}"}), ports))
            self.assertEqual([201, 201], [answer.status for answer in answers], answers)
            self.assertEqual(answers[0].json(), answers[1].json())

    # Goal: the number of instances can be changed while the fleet runs; what was written by one is read by all.
    def test_number_of_instances_changes(self):
        with f.Fleet(instances=2) as fleet:
            user = fleet.new_user()
            for number in (1, 3, 2):
                f.shop_with_instances(fleet.data, number)
                fleet.up()
                names = [name for name in fleet.members() if name.startswith("user-service")]
                self.assertEqual(["user-service"] if number == 1 else [f"user-service.{n + 1}" for n in range(number)],
                                 sorted(names))
                for instance in range(number):
                    read = f.call(fleet.port("user-service") + 100 * instance, "GET", f"/users/{user['id']}")
                    self.assertEqual(user, read.json())
            self.both_at_once(fleet)
            self.assertIn("user-service.2", fleet.cli("logs", "user-service").stdout)
            fleet.down()
            self.assertFalse((fleet.data / "data/user-service/user-service.db-wal").exists())


if __name__ == "__main__":
    f.main()
