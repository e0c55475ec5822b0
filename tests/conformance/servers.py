"""The servers that other people's clients talk to: the real hub, and the real redis-server to compare it with."""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(TESTS), str(TESTS / "e2e")]
import fleet  # noqa: E402
import npm_packages  # noqa: E402

call = fleet.call
eventually = fleet.eventually


def node(script, *arguments):
    """Runs a script of tests/conformance/node to its end and gives what it printed; it fails when the script does."""
    folder = npm_packages.install(TESTS / "conformance/node", fleet.PROGRAMS.parent)
    done = subprocess.run(["node", script, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"{script} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Process:
    """A server process with a temporary folder; use as a context manager."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="flotilla-")
        self.path = pathlib.Path(self.folder.name)
        self.log = self.path / "log"
        self.process = None

    def start(self, command, is_ready):
        with self.log.open("a") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"{command[0]} ended with {self.process.returncode}:\n{self.log.read_text()}")
            return is_ready()

        try:
            eventually(ready, what=f"{command[0]} is ready")
        except BaseException:
            self.end()
            raise

    def end(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.log.read_text(errors="replace")[-4000:])
        self.end()


class Hub(Process):
    """flotilla-hub on free ports: http, redis and smtp."""

    def __init__(self):
        super().__init__()
        self.ports = {}
        self.launch()

    def launch(self):
        ports = self.path / "hub/ports.json"
        ports.unlink(missing_ok=True)  # of an earlier start
        command = [str(fleet.PROGRAMS / "flotilla-hub"), "--data", str(self.path / "hub"),
                   "--http-port", "0", "--redis-port", "0", "--smtp-port", "0"]
        self.start(command, lambda: ports.exists() and self.answers(json.loads(ports.read_text())))

    def answers(self, ports):
        self.ports = ports
        try:
            return call(ports["http"], "GET", "/readyz").status == 200
        except OSError:
            return False

    def restart(self, how=signal.SIGKILL):
        """Ends the process and starts another one on the same data; it has new ports."""
        self.process.send_signal(how)
        self.process.wait(timeout=20)
        self.launch()

    # How each client is told where the Redis protocol is spoken.
    def redis_cli(self):
        return ["-p", str(self.ports["redis"])]

    def redis_py(self):
        return {"host": "127.0.0.1", "port": self.ports["redis"]}

    def redis_node(self):
        return json.dumps({"host": "127.0.0.1", "port": self.ports["redis"]})


class RedisServer(Process):
    """Debian's redis-server on a Unix socket, for it cannot pick a free port itself; with one database, as the hub."""

    def __init__(self):
        super().__init__()
        self.socket = str(self.path / "redis.sock")
        self.start(["redis-server", "--port", "0", "--unixsocket", self.socket, "--databases", "1", "--save", "",
                    "--dir", str(self.path)],
                   lambda: subprocess.run(["redis-cli", "-s", self.socket, "PING"], capture_output=True).stdout == b"PONG\n")

    def redis_cli(self):
        return ["-s", self.socket]

    def redis_py(self):
        return {"unix_socket_path": self.socket}

    def redis_node(self):
        return json.dumps({"path": self.socket})


class OnServer(unittest.TestCase):
    """A server per class: each test is alone with its own keys and names, not with the server."""

    Server = Hub

    @classmethod
    def setUpClass(cls):
        cls.server = cls.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.end()


def main():
    unittest.main(verbosity=2)
