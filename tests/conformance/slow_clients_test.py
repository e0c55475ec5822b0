"""Clients that send their requests a few bytes at a time (slowhttptest) leave service and gateway available to others."""

import re
import subprocess
import time
import unittest

import servers

SECONDS = 6
MODES = {
    "slow heads": ["-H"],
    "slow bodies": ["-B", "-s", "8192"],
}


class SlowClients(unittest.TestCase):
    """slowhttptest is Debian's; it opens the connections and asks itself whether the server still answers."""

    def attack(self, port, path, mode):
        return subprocess.Popen(
            ["slowhttptest", *MODES[mode], "-c", "400", "-r", "400", "-i", "1", "-x", "10", "-l", str(SECONDS), "-p", "2",
             "-u", f"http://127.0.0.1:{port}{path}", *(["-t", "POST"] if mode == "slow bodies" else [])],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_slow_clients_leave_the_rest_alone(self):
        """Both modes against both at once; meanwhile every request of a well-behaved client is answered."""
        with servers.fleet.Fleet() as fleet:
            user = fleet.new_user()
            targets = {fleet.port("gateway"): "/api/users", fleet.port("user-service"): "/users"}
            attacks = {(port, mode): self.attack(port, path, mode) for port, path in targets.items() for mode in MODES}
            answered = 0
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                for port, path in targets.items():
                    answer = servers.call(port, "GET", f"{path}/{user['id']}", timeout=5)
                    self.assertEqual(answer.status, 200, answer)
                    answered += 1
            self.assertGreater(answered, 20)
            for (port, mode), attack in attacks.items():
                with self.subTest(port=port, mode=mode):
                    report = re.sub(r"\x1b\[[0-9;]*m", "", attack.communicate(timeout=30)[0])
                    self.assertIn("service available:   YES", report[-1500:])
                    connected = [int(n) for n in re.findall(r"connected: +(\d+)", report)]
                    self.assertGreater(max(connected, default=0), 300, report[-1500:])


if __name__ == "__main__":
    servers.fleet.main()
