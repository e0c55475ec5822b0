#include "hub/consul/transaction.hpp"

#include "hub/consul/stores_bench.hpp"

namespace flotilla::hub::consul::transaction_test {
namespace {

namespace bj = boost::json;

/// The answer to a transaction, shortened: "ok" with its results, or its errors as "0: what".
std::string run(StoresBench& bench, std::string_view operations) {
    const auto reply = bench.put("/v1/txn", std::string(operations));
    if (reply.status != 200 && reply.status != 409) return std::to_string(reply.status) + " " + reply.body;
    const auto body = bj::parse(reply.body);
    std::string text = reply.status == 200 ? "ok" : "";
    EXPECT_EQ(body.at("Errors").is_null(), reply.status == 200) << reply.body;
    EXPECT_EQ(body.at("Results").is_null(), reply.status == 409) << reply.body;
    if (reply.status == 200) return text + " " + std::to_string(body.at("Results").as_array().size());
    for (const auto& error : body.at("Errors").as_array()) {
        text += (text.empty() ? "" : "; ") + bj::serialize(error.at("OpIndex")) + ": " +
                std::string(error.at("What").as_string());
    }
    return text;
}

std::string kv(std::string_view verb, std::string_view key, std::string_view more = "") {
    return R"([{"KV":{"Verb":")" + std::string(verb) + R"(","Key":")" + std::string(key) + '"' + std::string(more) +
           "}}]";
}

std::string raw(StoresBench& bench, std::string_view key) {
    const auto* entry = bench.stores.kv.find(key);
    return entry ? entry->value : "(none)";
}

// Goal: what Consul 1.20 was recorded to answer to a set, byte for byte but for the number.
TEST(ConsulTransaction, SetAnswersAsRecorded) {
    StoresBench bench;
    const auto reply = bench.put("/v1/txn", R"([{"KV": {"Verb": "set", "Key": "t", "Value": "eA=="}}])");
    EXPECT_EQ(reply.status, 200);
    const auto index = std::to_string(bench.stores.index.current);
    EXPECT_EQ(reply.body, R"({"Results":[{"KV":{"LockIndex":0,"Key":"t","Flags":0,"Value":null,"CreateIndex":)" +
                              index + R"(,"ModifyIndex":)" + index + R"(}}],"Errors":null})");
    EXPECT_EQ(raw(bench, "t"), "x");
}

// Goal: every verb of KV does what it does in Consul, with its words for what does not hold.
TEST(ConsulTransaction, KvVerbs) {
    StoresBench bench;
    EXPECT_EQ(run(bench, kv("set", "a", R"(,"Value":"MQ==","Flags":18446744073709551615)")), "ok 1");
    EXPECT_EQ(bench.stores.kv.find("a")->flags, 18446744073709551615u);
    const auto index = std::to_string(bench.stores.kv.find("a")->modify_index);
    EXPECT_EQ(run(bench, kv("get", "a")), "ok 1");
    EXPECT_EQ(run(bench, kv("get", "none")), R"(0: key "none" doesn't exist)");
    EXPECT_EQ(run(bench, kv("get-or-empty", "none")), "ok 1");
    EXPECT_EQ(run(bench, kv("get-tree", "")), "0: Must provide key");
    EXPECT_EQ(run(bench, kv("get-tree", "a")), "ok 1");
    EXPECT_EQ(run(bench, kv("get-tree", "z")), "ok 0");
    EXPECT_EQ(run(bench, kv("cas", "a", R"(,"Value":"Mg==","Index":1)")),
              R"(0: failed to set key "a", index is stale)");
    EXPECT_EQ(run(bench, kv("cas", "a", R"(,"Value":"Mg==","Index":)" + index)), "ok 1");
    EXPECT_EQ(run(bench, kv("check-index", "a", R"(,"Index":1)")),
              R"(0: failed index check for key "a", current modify index )" +
                  std::to_string(bench.stores.kv.find("a")->modify_index) + " != 1");
    EXPECT_EQ(run(bench, kv("check-index", "none", R"(,"Index":1)")),
              R"(0: failed to check index, key "none" doesn't exist)");
    EXPECT_EQ(run(bench, kv("check-not-exists", "a")), R"(0: key "a" exists)");
    EXPECT_EQ(run(bench, kv("check-not-exists", "none")), "ok 0");
    EXPECT_EQ(run(bench, kv("check-session", "a", R"(,"Session":"s")")),
              R"(0: failed session check for key "a", current session "" != "s")");
    EXPECT_EQ(run(bench, kv("delete-cas", "a", R"(,"Index":1)")), R"(0: failed to delete key "a", index is stale)");
    EXPECT_EQ(run(bench, kv("delete", "a")), "ok 0");
    EXPECT_EQ(run(bench, kv("delete", "a")), "ok 0");
    run(bench, kv("set", "t/1"));
    run(bench, kv("set", "t/2"));
    EXPECT_EQ(run(bench, kv("delete-tree", "t/")), "ok 0");
    EXPECT_EQ(raw(bench, "t/1"), "(none)");
    EXPECT_EQ(run(bench, kv("blow-up", "a")), R"(0: unknown KV verb "blow-up")");
}

// Goal: locks are a session's: taken, refused, given back, and resting after their session was lost.
TEST(ConsulTransaction, LocksAreHonoured) {
    StoresBench bench;
    const auto create = [&] {
        return std::string(bj::parse(bench.put("/v1/session/create", "{}").body).at("ID").as_string());
    };
    const auto ada = create();
    const auto bob = create();
    const auto session = [](std::string_view id) { return R"(,"Session":")" + std::string(id) + '"'; };
    EXPECT_EQ(run(bench, kv("lock", "l")), "0: missing session");
    EXPECT_EQ(run(bench, kv("lock", "l", session("nope"))), R"(0: invalid session "nope")");
    EXPECT_EQ(run(bench, kv("lock", "l", session(ada))), "ok 1");
    EXPECT_EQ(bench.stores.kv.find("l")->session, ada);
    EXPECT_EQ(run(bench, kv("check-session", "l", session(ada))), "ok 1");
    EXPECT_EQ(run(bench, kv("lock", "l", session(bob))), R"(0: failed to lock key "l", lock is already held)");
    EXPECT_EQ(run(bench, kv("unlock", "l", session(bob))),
              R"(0: failed to unlock key "l", lock isn't held, or is held by another session)");
    EXPECT_EQ(run(bench, kv("unlock", "l", session(ada))), "ok 1");
    EXPECT_EQ(bench.stores.kv.find("l")->session, "");
    EXPECT_EQ(run(bench, kv("lock", "l", session(ada))), "ok 1");
    bench.put("/v1/session/destroy/" + ada);
    EXPECT_EQ(run(bench, kv("lock", "l", session(bob))), R"(0: failed to lock key "l" due to lock delay)");
    bench.now += std::chrono::seconds(16);
    EXPECT_EQ(run(bench, kv("lock", "l", session(bob))), "ok 1");
}

// Goal: each operation sees what those before it did, all share one index, and watchers are woken by it.
TEST(ConsulTransaction, OperationsShareAnIndex) {
    StoresBench bench;
    bench.put("/v1/kv/gone", "1");
    const auto before = bench.stores.index.current;
    EXPECT_EQ(run(bench, R"([{"KV":{"Verb":"set","Key":"a","Value":"MQ=="}},
                             {"KV":{"Verb":"get","Key":"a"}},
                             {"KV":{"Verb":"delete","Key":"gone"}},
                             {"KV":{"Verb":"check-not-exists","Key":"gone"}},
                             {"KV":{"Verb":"set","Key":"b","Value":"Mg=="}},
                             {"Node":{"Verb":"set","Node":{"Node":"n","Address":"1.1.1.1"}}},
                             {"Service":{"Verb":"set","Node":"n","Service":{"ID":"s","Service":"s"}}},
                             {"Check":{"Verb":"set","Check":{"Node":"n","CheckID":"c","Name":"c","Status":"passing"}}}])"),
              "ok 6");
    EXPECT_EQ(bench.stores.index.current, before + 1);
    EXPECT_EQ(bench.stores.kv.find("a")->modify_index, before + 1);
    EXPECT_EQ(bench.stores.kv.find("b")->modify_index, before + 1);
    EXPECT_EQ(bench.get("/v1/kv/gone").index, before + 1);
    EXPECT_EQ(bench.get("/v1/health/service/s").index, before + 1);
    EXPECT_EQ(run(bench, kv("set", "a", R"(,"Value":"Mw==")")), "ok 1");
    EXPECT_EQ(bench.stores.index.current, before + 2) << "the next change has its own number";
}

// Goal: all or nothing: a transaction that fails leaves every key, lock, node and index as it was, and says every
// error.
TEST(ConsulTransaction, FailureTakesEverythingBack) {
    StoresBench bench;
    const auto session = std::string(bj::parse(bench.put("/v1/session/create", "{}").body).at("ID").as_string());
    bench.put("/v1/kv/tree/a?flags=3", "old");
    bench.put("/v1/kv/tree/b", "kept");
    bench.put("/v1/kv/deleted", "x");
    bench.call(Method::delete_, "/v1/kv/deleted");
    bench.put("/v1/catalog/register", R"({"Node":"n","Address":"1.1.1.1","Service":{"Service":"s","Tags":["t"]},
                                          "Check":{"Name":"c","Status":"passing"}})");
    const auto state = [&] {
        std::string text = std::to_string(bench.stores.index.current) + " " + std::to_string(bench.stores.kv.bytes());
        for (const auto* target :
             {"/v1/kv/?recurse", "/v1/kv/tree?keys", "/v1/kv/deleted", "/v1/kv/fresh", "/v1/catalog/nodes",
              "/v1/catalog/services", "/v1/catalog/node/n", "/v1/health/service/s", "/v1/health/service/u",
              "/v1/health/state/any", "/v1/session/list"}) {
            const auto reply = bench.get(target);
            text += "\n" + std::to_string(reply.index) + " " + reply.body;
        }
        return text;
    };
    const auto before = state();
    const auto version = bench.stores.changes.version;
    EXPECT_EQ(run(bench, R"([{"KV":{"Verb":"set","Key":"tree/a","Value":"bmV3"}},
                             {"KV":{"Verb":"set","Key":"fresh","Value":"bmV3"}},
                             {"KV":{"Verb":"set","Key":"deleted","Value":"bmV3"}},
                             {"KV":{"Verb":"get","Key":"none"}},
                             {"KV":{"Verb":"lock","Key":"tree/b","Session":")" +
                             session + R"("}},
                             {"KV":{"Verb":"delete-tree","Key":"tree"}},
                             {"Service":{"Verb":"set","Node":"n","Service":{"ID":"s","Service":"u","Port":1}}},
                             {"Service":{"Verb":"set","Node":"m","Service":{"ID":"s","Service":"s"}}},
                             {"Check":{"Verb":"delete","Check":{"Node":"n","CheckID":"c"}}},
                             {"Node":{"Verb":"delete","Node":{"Node":"n"}}},
                             {"Node":{"Verb":"set","Node":{"Node":"new","Address":"2.2.2.2"}}}])"),
              R"(3: key "none" doesn't exist; 7: Missing node registration)");
    EXPECT_EQ(state(), before);
    EXPECT_EQ(bench.stores.changes.version, version) << "nobody has to be woken, nothing to be stored";
    const auto index = bench.stores.index.current;
    bench.put("/v1/kv/after", "1");
    EXPECT_EQ(bench.stores.kv.find("after")->modify_index, index + 1);
}

// Goal: nodes, services and checks have get, set, cas, delete and delete-cas; the agent's own can be read only.
TEST(ConsulTransaction, CatalogueVerbs) {
    StoresBench bench;
    bench.put("/v1/agent/service/register", R"({"ID":"own","Name":"own"})");
    const auto node = [](std::string_view verb, std::string_view more = "") {
        return R"([{"Node":{"Verb":")" + std::string(verb) + R"(","Node":{"Node":"n","Address":"1.1.1.1")" +
               std::string(more) + "}}}]";
    };
    const auto service = [](std::string_view verb, std::string_view name, std::string_view more = "") {
        return R"([{"Service":{"Verb":")" + std::string(verb) + R"(","Node":")" + std::string(name) +
               R"(","Service":{"ID":"s","Service":"s")" + std::string(more) + "}}}]";
    };
    EXPECT_EQ(run(bench, node("get")), R"(0: node "n" doesn't exist)");
    EXPECT_EQ(run(bench, service("set", "n")), "0: Missing node registration");
    EXPECT_EQ(run(bench, node("cas", R"(,"ModifyIndex":7)")), R"(0: failed to set node "n", index is stale)");
    EXPECT_EQ(run(bench, node("cas")), "ok 1");
    EXPECT_EQ(run(bench, node("cas")), R"(0: failed to set node "n", index is stale)");
    EXPECT_EQ(run(bench, service("get", "n")), R"(0: service "s" on node "n" doesn't exist)");
    EXPECT_EQ(run(bench, service("cas", "n", R"(,"Port":1)")), "ok 1");
    const auto index = std::to_string(bench.stores.external.service("n", "s")->service.modify_index);
    EXPECT_EQ(run(bench, service("cas", "n", R"(,"Port":2,"ModifyIndex":1)")),
              R"(0: failed to set service "s" on node "n", index is stale)");
    EXPECT_EQ(run(bench, service("cas", "n", R"(,"Port":2,"ModifyIndex":)" + index)), "ok 1");
    EXPECT_EQ(run(bench, service("delete-cas", "n", R"(,"ModifyIndex":)" + index)),
              R"(0: failed to delete service "s" on node "n", index is stale)");
    EXPECT_EQ(run(bench, R"([{"Check":{"Verb":"set","Check":{"Node":"n","CheckID":"c","ServiceID":"x"}}}])"),
              "0: Missing service registration");
    EXPECT_EQ(run(bench, R"([{"Check":{"Verb":"set","Check":{"Node":"n","CheckID":"c","ServiceID":"s"}}},
                             {"Check":{"Verb":"get","Check":{"Node":"N","CheckID":"C"}}}])"),
              "ok 2");
    EXPECT_EQ(run(bench, R"([{"Check":{"Verb":"delete","Check":{"Node":"n","CheckID":"c"}}},
                             {"Check":{"Verb":"get","Check":{"Node":"n","CheckID":"c"}}}])"),
              R"(1: check "c" on node "n" doesn't exist)");
    EXPECT_EQ(run(bench, service("delete", "n")), "ok 0");
    EXPECT_EQ(run(bench, node("delete-cas", R"(,"ModifyIndex":1)")), R"(0: failed to delete node "n", index is stale)");
    EXPECT_EQ(run(bench, node("delete")), "ok 0");
    EXPECT_EQ(run(bench, node("explode")), R"(0: unknown Node verb "explode")");
    EXPECT_EQ(run(bench, R"([{"Node":{"Verb":"get","Node":{"Node":"flotilla"}}},
                             {"Service":{"Verb":"get","Node":"flotilla","Service":{"ID":"own"}}},
                             {"Check":{"Verb":"get","Check":{"Node":"flotilla","CheckID":"serfHealth"}}}])"),
              "ok 3");
    EXPECT_TRUE(run(bench, service("set", "flotilla")).starts_with("0: node \"flotilla\" is this agent's own"));
}

// Goal: what is no transaction is refused with Consul's status; what would fill the registry, too.
TEST(ConsulTransaction, MalformedAndOversizedAreRefused) {
    StoresBench bench;
    for (const auto* body : {"", "{", "{}", "[1]", "[{}]", R"([{"KV":{"Verb":"set","Key":"a","Value":"?"}}])",
                             R"([{"KV":{"Verb":"set","Key":"a","Flags":-1}}])",
                             R"([{"KV":{"Verb":"set","Key":"a","Bogus":1}}])", R"([{"KV":{"Verb":"get"},"Bogus":1}])",
                             R"([{"Session":{"Verb":"delete"}}])", R"([{"KV":{"Verb":"get","Key":"a"},"Node":{}}])"}) {
        const auto text = run(bench, body);
        EXPECT_TRUE(text.starts_with("400 Failed to parse body: ")) << body << ": " << text;
    }
    std::string many = "[";
    for (int i = 0; i < 129; ++i)
        many += std::string(i == 0 ? "" : ",") + R"({"KV":{"Verb":"set","Key":"a"}})";
    EXPECT_EQ(run(bench, many + "]"), "413 Transaction contains too many operations (129 > 128)");
    EXPECT_EQ(run(bench, "[" + std::string(512 * 1024, ' ') + "]"),
              "413 Request body too large, max size: 524288 bytes");
    EXPECT_EQ(run(bench, "[]"), "ok 0");
    EXPECT_EQ(bench.put("/v1/txn?bogus=1", "[]").status, 400);
    EXPECT_EQ(bench.stores.changes.version, 0u);
}

} // namespace
} // namespace flotilla::hub::consul::transaction_test
