#!/usr/bin/env python3
"""Debian's Consul client for Python against the hub: services with TTL, watches, KV with CAS, locks."""

import base64
import concurrent.futures
import http.client
import unittest

import consul

import servers


class PythonConsul(servers.OnServer):
    def connect(self):
        client = consul.Consul(host="127.0.0.1", port=self.server.ports["http"])
        self.addCleanup(client.http.session.close)
        return client

    def setUp(self):
        self.consul = self.connect()
        self.other = self.connect()
        self.name = self.id().rsplit(".", 1)[-1]
        self.pool = concurrent.futures.ThreadPoolExecutor()
        self.addCleanup(self.pool.shutdown)

    def register(self, number, ttl="60s", **options):
        service_id = f"{self.name}-{number}"
        self.assertTrue(self.consul.agent.service.register(
            self.name, service_id=service_id, address="127.0.0.1", port=4000 + number, check=consul.Check.ttl(ttl), **options))
        return service_id

    def watch(self, query, index, until):
        """Asks again and again for what is newer, as a watch does, until the answer suits; gives it."""
        while True:
            newer, answer = query(index=index, wait="10s")
            if until(answer):
                return answer
            self.assertGreater(int(newer), int(index), "woken without a change, or nothing changed for 10 s")
            index = newer

    # Goal: a registered instance is found once its TTL check is passed, with tags, address and port, and gone after it leaves.
    def test_instance_is_found_while_it_is_healthy(self):
        service_id = self.register(1, tags=["blue", "v1"])
        self.register(2, tags=["green"])
        self.assertEqual([], self.consul.health.service(self.name, passing=True)[1])
        self.assertTrue(self.consul.agent.check.ttl_pass(f"service:{service_id}", notes="well"))
        [instance] = self.consul.health.service(self.name, passing=True)[1]
        self.assertEqual((service_id, self.name, "127.0.0.1", 4001, ["blue", "v1"]),
                         tuple(instance["Service"][k] for k in ("ID", "Service", "Address", "Port", "Tags")))
        check = next(c for c in instance["Checks"] if c["CheckID"] == f"service:{service_id}")
        self.assertEqual(("passing", "well"), (check["Status"], check["Output"]))
        self.assertEqual([4002], [i["Service"]["Port"] for i in self.consul.health.service(self.name, tag="green")[1]])
        self.assertEqual({"blue", "v1", "green"}, set(self.consul.catalog.services()[1][self.name]))
        self.assertEqual({4001, 4002}, {s["ServicePort"] for s in self.consul.catalog.service(self.name)[1]})
        self.assertIn(service_id, self.consul.agent.services())
        self.assertIn(f"service:{service_id}", self.consul.agent.checks())
        self.assertTrue(self.consul.agent.service.deregister(service_id))
        self.assertEqual([4002], [s["ServicePort"] for s in self.consul.catalog.service(self.name)[1]])
        self.assertNotIn(service_id, self.consul.agent.services())

    # Goal: a check warns, fails and recovers by report, and every state is found under its name.
    def test_check_follows_its_reports(self):
        check = f"service:{self.register(1)}"
        for report, status in ((self.consul.agent.check.ttl_warn, "warning"), (self.consul.agent.check.ttl_fail, "critical"),
                               (self.consul.agent.check.ttl_pass, "passing")):
            self.assertTrue(report(check, notes=f"it is {status}"))
            [found] = self.consul.health.checks(self.name)[1]
            self.assertEqual((status, f"it is {status}"), (found["Status"], found["Output"]))
            self.assertIn(check, [c["CheckID"] for c in self.consul.health.state(status)[1]])

    # Goal: a watch of a service sees it come and fall silent beyond its TTL.
    def test_watch_sees_a_silent_instance_fail(self):
        index, instances = self.consul.health.service(self.name, passing=True)
        self.assertEqual([], instances)
        waiting = self.pool.submit(self.watch, lambda **options: self.other.health.service(self.name, passing=True, **options),
                                   index, bool)
        service_id = self.register(1, ttl="2s")
        self.consul.agent.check.ttl_pass(f"service:{service_id}")
        self.assertEqual(service_id, waiting.result(timeout=15)[0]["Service"]["ID"])
        index, _ = self.consul.health.service(self.name)

        def failed(instances):
            return any(check["Status"] == "critical" for instance in instances for check in instance["Checks"])

        silent = self.watch(lambda **options: self.consul.health.service(self.name, **options), index, failed)
        self.assertEqual(service_id, silent[0]["Service"]["ID"])
        self.assertEqual([], self.consul.health.service(self.name, passing=True)[1])

    # Goal: a blocking query that sees no change ends after its wait with the index it had.
    def test_blocking_query_ends_after_its_wait(self):
        self.consul.kv.put(self.name, "1")
        index, _ = self.consul.kv.get(self.name)
        again, value = self.consul.kv.get(self.name, index=index, wait="50ms")
        self.assertEqual((index, b"1"), (again, value["Value"]))

    # Goal: a watch of a key wakes on change, of a missing key on creation, of a prefix on each; not for another key.
    def test_watch_of_keys_wakes_up(self):
        index, missing = self.consul.kv.get(f"{self.name}/a")
        self.assertIsNone(missing)
        waiting = self.pool.submit(self.watch, lambda **options: self.other.kv.get(f"{self.name}/a", **options), index,
                                   lambda item: item is not None)
        self.assertTrue(self.consul.kv.put(f"{self.name}/a", "1"))
        self.assertEqual(b"1", waiting.result(timeout=15)["Value"])
        index, items = self.consul.kv.get(f"{self.name}/", recurse=True)
        self.assertEqual([f"{self.name}/a"], [item["Key"] for item in items])
        waiting = self.pool.submit(self.watch, lambda **options: self.other.kv.get(f"{self.name}/", recurse=True, **options),
                                   index, lambda items: len(items) == 2)
        self.assertTrue(self.consul.kv.put(f"{self.name}-other", "1"))
        self.assertTrue(self.consul.kv.put(f"{self.name}/b", "2"))
        self.assertEqual([b"1", b"2"], [item["Value"] for item in waiting.result(timeout=15)])

    # Goal: values are bytes with flags; keys are listed below a prefix, cut at a separator; a prefix is deleted as a whole.
    def test_keys_are_kept_listed_and_deleted(self):
        text = "grüße\x00".encode()
        self.assertTrue(self.consul.kv.put(f"{self.name}/a/1", text, flags=7))
        self.assertTrue(self.consul.kv.put(f"{self.name}/a/2", ""))
        self.assertTrue(self.consul.kv.put(f"{self.name}/b", "x"))
        item = self.consul.kv.get(f"{self.name}/a/1")[1]
        self.assertEqual((text, 7, 0), (item["Value"], item["Flags"], item["LockIndex"]))
        self.assertIsNone(self.consul.kv.get(f"{self.name}/a/2")[1]["Value"])
        self.assertEqual([f"{self.name}/a/", f"{self.name}/b"],
                         self.consul.kv.get(f"{self.name}/", keys=True, separator="/")[1])
        self.assertTrue(self.consul.kv.delete(f"{self.name}/a", recurse=True))
        self.assertEqual([f"{self.name}/b"], self.consul.kv.get(self.name, keys=True)[1])

    # Goal: of two writers that read the same, one wins; zero means "only if it is not there", for deleting never.
    def test_compare_and_set_has_one_winner(self):
        self.assertTrue(self.consul.kv.put(self.name, "first", cas=0))
        self.assertFalse(self.consul.kv.put(self.name, "second", cas=0))
        index = self.consul.kv.get(self.name)[1]["ModifyIndex"]
        writers = [self.connect() for _ in range(8)]
        won = list(self.pool.map(lambda n: writers[n].kv.put(self.name, str(n), cas=index), range(8)))
        self.assertEqual(1, won.count(True))
        item = self.consul.kv.get(self.name)[1]
        self.assertEqual(str(won.index(True)).encode(), item["Value"])
        self.assertFalse(self.consul.kv.delete(self.name, cas=index))
        self.assertTrue(self.consul.kv.delete(self.name, cas=item["ModifyIndex"]))
        self.assertIsNone(self.consul.kv.get(self.name)[1])

    # Goal: a lock is one session's until it is released; who waits for it sees that.
    def test_lock_is_handed_over(self):
        ada, bob = (self.consul.session.create(name=name, lock_delay=0, ttl=60) for name in ("ada", "bob"))
        self.assertTrue(self.consul.kv.put(self.name, "ada", acquire=ada))
        self.assertFalse(self.consul.kv.put(self.name, "bob", acquire=bob))
        self.assertFalse(self.consul.kv.put(self.name, "bob", release=bob))
        index, item = self.consul.kv.get(self.name)
        self.assertEqual((ada, 1, b"ada"), (item["Session"], item["LockIndex"], item["Value"]))
        waiting = self.pool.submit(self.watch, lambda **options: self.other.kv.get(self.name, **options), index,
                                   lambda item: "Session" not in item)
        self.assertTrue(self.consul.kv.put(self.name, "done", release=ada))
        self.assertEqual(b"done", waiting.result(timeout=15)["Value"])
        self.assertTrue(self.consul.kv.put(self.name, "bob", acquire=bob))
        self.assertEqual((bob, 2), tuple(self.consul.kv.get(self.name)[1][k] for k in ("Session", "LockIndex")))

    # Goal: a session that ends gives its locks back, or takes the keys along when it was made so.
    def test_destroyed_session_releases(self):
        kept = self.consul.session.create(lock_delay=0)
        ephemeral = self.consul.session.create(lock_delay=0, behavior="delete")
        self.assertTrue(self.consul.kv.put(f"{self.name}/kept", "1", acquire=kept))
        self.assertTrue(self.consul.kv.put(f"{self.name}/ephemeral", "1", acquire=ephemeral))
        self.assertEqual(kept, self.consul.session.info(kept)[1]["ID"])
        self.assertTrue({kept, ephemeral} <= {session["ID"] for session in self.consul.session.list()[1]})
        for session in (kept, ephemeral):
            self.assertTrue(self.consul.session.destroy(session))
        self.assertIsNone(self.consul.session.info(kept)[1])
        self.assertNotIn("Session", self.consul.kv.get(f"{self.name}/kept")[1])
        self.assertIsNone(self.consul.kv.get(f"{self.name}/ephemeral")[1])
        with self.assertRaises(consul.NotFound):
            self.consul.session.renew(kept)

    # Goal: the lock of a holder whose health check fails is free at once; its session is gone.
    def test_failed_check_releases_the_lock(self):
        check = f"service:{self.register(1)}"
        self.consul.agent.check.ttl_pass(check)
        session = self.consul.session.create(checks=["serfHealth", check], lock_delay=0)
        self.assertTrue(self.consul.kv.put(self.name, "held", acquire=session))
        index, _ = self.consul.kv.get(self.name)
        waiting = self.pool.submit(self.watch, lambda **options: self.other.kv.get(self.name, **options), index,
                                   lambda item: "Session" not in item)
        self.consul.agent.check.ttl_fail(check)
        self.assertEqual(b"held", waiting.result(timeout=15)["Value"])
        self.assertIsNone(self.consul.session.info(session)[1])

    # Goal: after a session was lost, not given back, its lock rests for the lock delay.
    def test_lost_lock_rests(self):
        lost, heir = self.consul.session.create(lock_delay=15), self.consul.session.create()
        self.assertTrue(self.consul.kv.put(self.name, "1", acquire=lost))
        self.assertTrue(self.consul.session.destroy(lost))
        self.assertFalse(self.consul.kv.put(self.name, "2", acquire=heir))

    # Goal: what a client asks about the agent itself has an answer.
    def test_agent_describes_itself(self):
        me = self.consul.agent.self()
        self.assertIn("NodeName", me["Config"])
        self.assertRegex(self.consul.status.leader(), r"^127\.0\.0\.1:\d+$")
        self.assertEqual([me["Config"]["Datacenter"]], self.consul.catalog.datacenters())
        self.assertEqual([me["Config"]["NodeName"]], [node["Node"] for node in self.consul.catalog.nodes()[1]])

    # Goal: services, keys and their indices survive kill -9.
    def test_registry_survives_a_kill(self):
        with servers.Hub() as hub:
            client = consul.Consul(host="127.0.0.1", port=hub.ports["http"])
            client.agent.service.register("order", service_id="order-1", port=4001, check=consul.Check.ttl("60s"))
            client.agent.check.ttl_pass("service:order-1")
            client.kv.put("config/order", "1")
            item = client.kv.get("config/order")[1]
            client.http.session.close()
            hub.restart()
            client = consul.Consul(host="127.0.0.1", port=hub.ports["http"])
            self.addCleanup(client.http.session.close)
            self.assertEqual(item, client.kv.get("config/order")[1])
            self.assertEqual(["order-1"], [i["Service"]["ID"] for i in client.health.service("order", passing=True)[1]])

    # Goal: an external node is found beside this one, by filter too, until it is deregistered.
    def test_external_node_is_in_the_catalogue(self):
        self.register(1)
        self.assertTrue(self.consul.catalog.register(
            self.name, "10.0.0.9", service={"Service": self.name, "ID": "pg-1", "Port": 5432},
            check={"Name": "alive", "Status": "passing"}))
        self.assertIn(self.name, [node["Node"] for node in self.consul.catalog.nodes()[1]])
        self.assertEqual({4001, 5432}, {s["ServicePort"] for s in self.consul.catalog.service(self.name)[1]})
        filtered = servers.call(self.server.ports["http"], "GET",
                                f"/v1/catalog/service/{self.name}?filter=ServicePort+%3E%3D+5000")
        self.assertEqual((500, True), (filtered.status, "no match found" in filtered.body))
        filtered = servers.call(self.server.ports["http"], "GET",
                                f"/v1/catalog/service/{self.name}?filter=not+Node+%3D%3D+flotilla")
        self.assertEqual([5432], [row["ServicePort"] for row in filtered.json()])
        self.assertTrue(self.consul.catalog.deregister(self.name))
        self.assertEqual([4001], [s["ServicePort"] for s in self.consul.catalog.service(self.name)[1]])

    # Goal: a hub killed between transactions has each of them whole or not at all, and every one that was acknowledged.
    def test_transactions_survive_a_kill_whole(self):
        def operations(number):
            value = base64.b64encode(str(number).encode()).decode()
            return [{"KV": {"Verb": "set", "Key": f"whole/{key}", "Value": value}} for key in range(20)] + [
                {"Node": {"Verb": "set", "Node": {"Node": "whole", "Address": f"10.0.0.{number % 250}"}}}]

        with servers.Hub() as hub:
            port, acknowledged = hub.ports["http"], 0

            def write():
                nonlocal acknowledged
                for number in range(1, 10000):
                    try:
                        done = servers.call(port, "PUT", "/v1/txn", operations(number))
                    except (OSError, http.client.HTTPException):
                        return  # the kill
                    if done.status != 200:
                        raise AssertionError(done.body)
                    acknowledged = number

            writing = self.pool.submit(write)
            servers.eventually(lambda: acknowledged >= 20, what="20 transactions are acknowledged")
            hub.restart()
            writing.result(timeout=15)
            client = consul.Consul(host="127.0.0.1", port=hub.ports["http"])
            self.addCleanup(client.http.session.close)
            items = client.kv.get("whole/", recurse=True)[1]
            [value] = {item["Value"] for item in items}
            self.assertEqual(20, len(items))
            self.assertIn(int(value), (acknowledged, acknowledged + 1))
            [index] = {item["ModifyIndex"] for item in items}
            [node] = [node for node in client.catalog.nodes()[1] if node["Node"] == "whole"]
            self.assertEqual((f"10.0.0.{int(value) % 250}", index), (node["Address"], node["ModifyIndex"]))


if __name__ == "__main__":
    servers.main()
