// npm's Redis client against the server whose socket options (JSON) and protocol version are given.
// Prints every reply, one JSON line each, so that two servers can be compared.
import { createClient } from "redis";

const [socket, protocol] = process.argv.slice(2);
const connect = async () => {
  const client = createClient({ socket: { ...JSON.parse(socket), reconnectStrategy: false }, RESP: Number(protocol) });
  client.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  return client.connect();
};
const show = (what, reply) => console.log(JSON.stringify({ what, reply }));
const failure = (promise) => promise.then((reply) => ({ reply }), (error) => ({ error: error.message }));

const client = await connect();
const waiter = await connect();
const subscriber = await connect();

// Streams with a group.
show("create", await client.xGroupCreate("orders", "mail", "0", { MKSTREAM: true }));
show("create again", await failure(client.xGroupCreate("orders", "mail", "0")));
const added = [];
for (let n = 1; n <= 6; n++) added.push(client.xAdd("orders", `${n}-0`, { n: String(n), text: "grüße \r\n" }));
show("pipelined", await Promise.all(added)); // six commands in one write
show("id too small", await failure(client.xAdd("orders", "1-0", { n: "1" })));
show("length", await client.xLen("orders"));
show("range", await client.xRange("orders", "(1-0", "+", { COUNT: 2 }));
show("read", await client.xRead([{ key: "orders", id: "5-0" }, { key: "missing", id: "0" }], { COUNT: 2 }));
show("ada", await client.xReadGroup("mail", "ada", { key: "orders", id: ">" }, { COUNT: 3 }));
show("bob", await client.xReadGroup("mail", "bob", [{ key: "orders", id: ">" }]));
show("nothing left", await client.xReadGroup("mail", "bob", [{ key: "orders", id: ">" }]));
show("ack", await client.xAck("orders", "mail", ["1-0", "6-0", "9-0"]));
show("pending", await client.xPending("orders", "mail"));
show("delete", await client.xDel("orders", "2-0"));
show("autoclaim", await client.xAutoClaim("orders", "mail", "heir", 0, "0-0", { COUNT: 10 }));
show("claim", await client.xClaimJustId("orders", "mail", "ada", 0, ["3-0"]));
const range = await client.xPendingRange("orders", "mail", "-", "+", 10);
show("pending range", range.map(({ id, consumer, deliveriesCounter }) => ({ id, consumer, deliveriesCounter })));
show("groups", await client.xInfoGroups("orders"));
show("trim", await client.xTrim("orders", "MAXLEN", 2));
show("no group", await failure(client.xReadGroup("none", "ada", { key: "orders", id: ">" })));

// A read that waits.
const waiting = waiter.xRead({ key: "orders", id: "$" }, { BLOCK: 15000 });
while (!/blocked_clients:1\r/.test(await client.info("clients")));
await client.xAdd("orders", "7-0", { n: "7" });
show("blocking read", await waiting);
show("waited in vain", await waiter.xRead({ key: "orders", id: "$" }, { BLOCK: 10 }));

// Publish and subscribe.
const heard = [];
let hear;
const all = new Promise((resolve) => {
  hear = (message, channel) => heard.push({ channel, message }) === 3 && resolve();
});
await subscriber.subscribe("order.created", hear);
await subscriber.pSubscribe("order.*", hear);
show("heard by two subscriptions", await client.publish("order.created", "one"));
show("heard by one", await client.publish("order.confirmed", "two"));
await all;
show("heard", heard.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)));
await subscriber.unsubscribe();
await subscriber.pUnsubscribe();
show("heard by nobody", await client.publish("order.created", "three"));
show("usable after subscribing", await subscriber.ping());

// Leases, counters, transactions.
show("lease", await client.set("lease", "ada", { condition: "NX", expiration: { type: "PX", value: 60000 } }));
show("held", await client.set("lease", "bob", { condition: "NX", expiration: { type: "PX", value: 60000 } }));
show("count", await client.incrBy("count", 5));
show("wrong type", await failure(client.incr("orders")));
show("transaction", await client.multi().incrBy("count", 2).xLen("orders").exec());
await client.watch("count");
await client.incrBy("count", -2);
show("stale transaction", await failure(client.multi().incrBy("count", 1).exec()));
show("expire", await client.expire("count", 100));
show("ttl", await client.ttl("missing"));
show("del", await client.del(["lease", "count", "missing"]));

await Promise.all([client, waiter, subscriber].map((each) => each.close()));
