"""A Prometheus-compatible server finds every service through the hub's Consul API and scrapes it.

Debian 12's own prometheus is built without Consul discovery (it answers "field consul_sd_configs not found"), so the
test runs Debian's victoria-metrics, which reads the same configuration. Where a prometheus with the discovery is found
in PROMETHEUS, that one is tried as well."""

import json
import os
import unittest
import urllib.parse

import servers

SCRAPED = {"gateway", "user-service", "order-service", "product-service", "shipping-service", "notification-service"}


def configuration(hub_port):
    return f"""
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: fleet
    consul_sd_configs:
      - server: 127.0.0.1:{hub_port}
    relabel_configs:
      - source_labels: [__meta_consul_service]
        regex: .*-service|gateway
        action: keep
      - source_labels: [__meta_consul_service]
        target_label: service
      - source_labels: [__meta_consul_service_id]
        target_label: instance
"""


class Scraper(servers.Process):
    """A scraping server on a port of its own; `command` gets the folder for its data and its configuration."""

    def __init__(self, port, hub_port, command, ready_path):
        super().__init__()
        (self.path / "scrape.yaml").write_text(configuration(hub_port))

        def answers():
            try:
                return servers.call(port, "GET", ready_path).status == 200
            except OSError:
                return False

        self.start(command(self.path / "data", self.path / "scrape.yaml"), answers)


def victoria_metrics(port, hub_port):
    return Scraper(port, hub_port, lambda data, config: [
        "victoria-metrics", "-storageDataPath", str(data), "-promscrape.config", str(config),
        "-promscrape.consulSDCheckInterval", "1s", "-httpListenAddr", f"127.0.0.1:{port}", "-search.latencyOffset", "0s",
        "-memory.allowedPercent", "10"], "/health")


def prometheus(port, hub_port):
    return Scraper(port, hub_port, lambda data, config: [
        os.environ["PROMETHEUS"], f"--storage.tsdb.path={data}", f"--config.file={config}",
        f"--web.listen-address=127.0.0.1:{port}"], "/-/ready")


def query(port, expression):
    answer = servers.call(port, "GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
    if answer.status != 200:
        raise AssertionError(answer)
    return answer.json()["data"]["result"]


class ConsulDiscovery(unittest.TestCase):
    def scrapes_everything(self, kind):
        with servers.fleet.Fleet() as fleet:
            fleet.new_user()
            # Above the fleet's ports, below those the kernel gives to clients.
            port = next(p for p in range(27000, 32000) if servers.fleet.is_free(p))
            with kind(port, fleet.port("hub")) as server:
                def up():
                    found = {row["metric"]["service"]: row["value"][1] for row in query(port, "up")}
                    return set(found) >= SCRAPED and all(found[name] == "1" for name in SCRAPED)

                servers.eventually(up, patience=40, what="every service is scraped")
                served = servers.eventually(
                    lambda: query(port, 'http_server_request_duration_seconds_count{service="user-service"}'),
                    patience=20, what="the request of the new user is counted")
                self.assertTrue(any(float(row["value"][1]) >= 1 for row in served), json.dumps(served))
                self.assertIsNone(server.process.poll())

    def test_victoria_metrics_scrapes_every_service(self):
        self.scrapes_everything(victoria_metrics)

    @unittest.skipUnless("PROMETHEUS" in os.environ, "PROMETHEUS names no prometheus with Consul discovery")
    def test_prometheus_scrapes_every_service(self):
        self.scrapes_everything(prometheus)


if __name__ == "__main__":
    servers.fleet.main()
