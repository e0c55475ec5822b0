// npm's Consul client against the hub whose port is given. Says nothing when all is as it should be.
import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as after } from "node:timers/promises";
import Consul from "consul";

const consul = new Consul({ host: "127.0.0.1", port: Number(process.argv[2]) });
const refused = undefined; // what this client makes of Consul's answer `false`
const late = (what) => after(15000, undefined, { ref: false }).then(() => assert.fail(`not within 15 s: ${what}`));

/** Watches until an answer suits, and gives it. The watch is running, its first answer seen, when `change` is called. */
async function watch(what, method, options, change, suits) {
  const watching = consul.watch({ method, options: { wait: "10s", ...options } });
  try {
    const failed = once(watching, "error").then(([error]) => assert.fail(error));
    const changes = [];
    const seen = new Promise((resolve) => watching.on("change", (data) => suits(data) && resolve(data)));
    watching.on("change", (data) => changes.push(data));
    await Promise.race([once(watching, "change"), failed, late(`${what}: first answer`)]);
    await change();
    return await Promise.race([seen, failed, late(`${what}: ${JSON.stringify(changes)}`)]);
  } finally {
    watching.end();
  }
}

async function services() {
  const check = { ttl: "60s", notes: "reported by the service" };
  const order = { name: "order", id: "order-1", address: "127.0.0.1", port: 4001, tags: ["v1"], check };
  await consul.agent.service.register(order);
  assert.deepEqual(await consul.health.service({ service: "order", passing: true }), []);
  const statuses = (instances) => instances.flatMap((each) => each.Checks).map((each) => each.Status);

  const healthy = await watch("the service becomes healthy", consul.health.service, { service: "order" },
    () => consul.agent.check.pass("service:order-1"),
    (found) => statuses(found).length > 0 && !statuses(found).includes("critical"));
  assert.deepEqual([healthy[0].Service.ID, healthy[0].Service.Port, healthy[0].Service.Tags], ["order-1", 4001, ["v1"]]);
  await watch("it warns", consul.health.service, { service: "order" },
    () => consul.agent.check.warn({ id: "service:order-1", note: "slow" }),
    (found) => statuses(found).includes("warning"));
  await watch("it fails", consul.health.service, { service: "order" }, () => consul.agent.check.fail("service:order-1"),
    (found) => statuses(found).includes("critical"));
  assert.deepEqual((await consul.health.state("critical")).map((each) => each.CheckID), ["service:order-1"]);
  assert.deepEqual((await consul.agent.service.list())["order-1"].Port, 4001);
  assert.deepEqual((await consul.catalog.service.list()).order, ["v1"]);
  assert.deepEqual((await consul.catalog.service.nodes("order")).map((each) => each.ServicePort), [4001]);
  await watch("it leaves", consul.health.service, { service: "order" },
    () => consul.agent.service.deregister("order-1"), (found) => found.length === 0);

  await consul.agent.service.register({ name: "silent", check: { ttl: "1s", status: "passing" } });
  await watch("it falls silent beyond its TTL", consul.health.service, { service: "silent", passing: true },
    () => {}, (found) => found.length === 0);
}

async function keys() {
  const get = (key) => consul.kv.get(key);
  assert.equal(await get("config/order"), undefined);
  assert.equal(await consul.kv.set({ key: "config/order", value: "grüße", flags: 7, cas: "0" }), true);
  assert.equal(await consul.kv.set({ key: "config/order", value: "again", cas: "0" }), refused);
  const item = await get("config/order");
  assert.deepEqual([item.Value, item.Flags], ["grüße", 7]);
  const won = await Promise.all([1, 2, 3, 4].map(
    (n) => consul.kv.set({ key: "config/order", value: `${n}`, cas: item.ModifyIndex })));
  assert.deepEqual(won.filter(Boolean), [true]);
  assert.equal((await get("config/order")).Value, `${won.indexOf(true) + 1}`);
  await consul.kv.set("config/user", "2");
  assert.deepEqual(await consul.kv.keys("config/"), ["config/order", "config/user"]);
  assert.equal((await consul.kv.get({ key: "config/", recurse: true })).length, 2);

  const newest = await watch("a prefix changes", consul.kv.get, { key: "config/", recurse: true },
    () => consul.kv.set("config/user", "3"), (items) => items.some((each) => each.Value === "3"));
  assert.deepEqual(newest.map((each) => each.Key), ["config/order", "config/user"]);
  await watch("a key is deleted", consul.kv.get, { key: "config/user" }, () => consul.kv.del("config/user"),
    (found) => found === undefined);
  assert.equal(await consul.kv.del({ key: "config/", recurse: true }), true);
  assert.equal(await get("config/order"), undefined);
}

async function locks() {
  const open = async (name) => (await consul.session.create({ name, ttl: "60s", lockdelay: "0s" })).ID;
  const [ada, bob] = [await open("ada"), await open("bob")];
  const key = "locks/leader";
  assert.equal(await consul.kv.set({ key, value: "ada", acquire: ada }), true);
  assert.equal(await consul.kv.set({ key, value: "bob", acquire: bob }), refused);
  assert.equal((await consul.kv.get(key)).Session, ada);
  assert.equal((await consul.session.renew(ada))[0].TTL, "60s");
  await watch("the holder releases", consul.kv.get, { key },
    () => consul.kv.set({ key, value: "", release: ada }), (item) => item.Session === undefined);
  assert.equal(await consul.kv.set({ key, value: "bob", acquire: bob }), true);
  await watch("the holder's session ends", consul.kv.get, { key }, () => consul.session.destroy(bob),
    (item) => item.Session === undefined);
  assert.equal(await consul.kv.set({ key, value: "ada", acquire: ada }), true);
  assert.deepEqual((await consul.session.list()).map((session) => session.ID), [ada]);
  await consul.session.destroy(ada);
}

/** An external node, found by filters and changed by transactions. */
async function catalogue() {
  const node = "database", service = { service: "pg", id: "pg-1", port: 5432, tags: ["primary"], meta: { v: "15" } };
  await consul.catalog.register({ node, address: "10.0.0.9", service, check: { node, name: "alive", status: "passing" } });
  const filtered = (filter) => consul.health.service({ service: "pg", filter });
  const [found] = await filtered('Service.Meta.v matches "^1[0-9]$" and primary in Service.Tags and Checks.Status != critical');
  assert.deepEqual([found.Node.Address, found.Service.Port], ["10.0.0.9", 5432]);
  assert.deepEqual(await filtered("Service.Port != 5432 or not Node.Node == database"), []);
  await assert.rejects(filtered("Service.Prot == 5432"), (error) => /"Service.Prot" is not valid/.test(error.response.body));
  assert.deepEqual((await consul.catalog.node.list()).map((each) => each.Node).sort(), [node, "flotilla"]);

  const set = (key, value) => ({ KV: { Verb: "set", Key: key, Value: Buffer.from(value).toString("base64") } });
  const moved = { Service: { Verb: "set", Node: node, Service: { ID: "pg-1", Service: "pg", Port: 5433 } } };
  const woken = await watch("a transaction moves it", consul.health.service, { service: "pg", filter: "Node.Node == database" },
    () => consul.transaction.create([set("db/port", "5433"), set("db/host", "10.0.0.9"), moved]),
    (found) => found[0]?.Service.Port === 5433);
  assert.equal(woken.length, 1);
  const { ModifyIndex } = await consul.kv.get("db/port");
  assert.equal((await consul.kv.get("db/host")).ModifyIndex, ModifyIndex);
  const stale = { KV: { Verb: "check-index", Key: "db/port", Index: 1 } };
  await assert.rejects(consul.transaction.create([set("db/port", "1"), stale]), (error) => error.response.statusCode === 409);
  assert.equal((await consul.kv.get("db/port")).Value, "5433");
  await consul.catalog.deregister({ node });
  assert.deepEqual(await filtered("Service.Port == 5433"), []);
}

await services();
await keys();
await locks();
await catalogue();
const self = await consul.agent.self();
assert.equal(typeof self.Config.NodeName, "string");
assert.match(await consul.status.leader(), /^127\.0\.0\.1:\d+$/);
consul.destroy();
