#include "hub/consul/external_nodes.hpp"

#include "hub/consul/stores_bench.hpp"

namespace flotilla::hub::consul::external_nodes_test {
namespace {

namespace bj = boost::json;

constexpr const char* kRegister = "/v1/catalog/register";
constexpr const char* kDeregister = "/v1/catalog/deregister";
constexpr const char* kExt = R"({"Node":"ext","Address":"10.1.1.1","Service":{"Service":"ext-svc","Port":80},)"
                             R"("Check":{"Name":"c","Status":"passing"}})";
constexpr const char* kDatabase =
    R"({"Node":"db","Address":"10.0.0.9","NodeMeta":{"rack":"r1"},"TaggedAddresses":{"wan":"1.2.3.4"},)"
    R"("Service":{"ID":"pg-1","Service":"web","Tags":["primary"],"Meta":{"v":"15"},"Port":5432},)"
    R"("Checks":[{"Name":"alive","Status":"passing"},{"CheckID":"pg","Name":"pg","ServiceID":"pg-1",)"
    R"("Status":"warning","Definition":{"TCP":"10.0.0.9:5432","Interval":"10s"}}]})";

bj::array names(const bj::value& rows, std::string_view member) {
    bj::array result;
    for (const auto& row : rows.as_array())
        result.push_back(row.at(member));
    return result;
}

// Goal: what Consul 1.20 was recorded to answer: registered, shown, deregistered, and all of it one change.
TEST(ConsulExternalNodes, RegistrationIsShownAsRecorded) {
    StoresBench bench;
    const auto before = bench.stores.index.current;
    const auto registered = bench.put(kRegister, kExt);
    EXPECT_EQ(registered.status, 200);
    EXPECT_EQ(registered.body, "true");
    const auto index = bench.stores.index.current;
    EXPECT_EQ(index, before + 1);
    const auto shown = bench.get("/v1/health/service/ext-svc");
    EXPECT_EQ(shown.index, index);
    const auto row = bj::parse(shown.body).at(0);
    EXPECT_EQ(row.at("Node"), (bj::value{{"ID", ""},
                                         {"Node", "ext"},
                                         {"Address", "10.1.1.1"},
                                         {"Datacenter", "dc1"},
                                         {"TaggedAddresses", nullptr},
                                         {"Meta", nullptr},
                                         {"CreateIndex", index},
                                         {"ModifyIndex", index}}));
    EXPECT_EQ(row.at("Service").at("ID"), "ext-svc");
    EXPECT_EQ(row.at("Service").at("Port"), 80);
    EXPECT_EQ(row.at("Checks"), (bj::value{{{"Node", "ext"},
                                            {"CheckID", "c"},
                                            {"Name", "c"},
                                            {"Status", "passing"},
                                            {"Notes", ""},
                                            {"Output", ""},
                                            {"ServiceID", ""},
                                            {"ServiceName", ""},
                                            {"ServiceTags", bj::array()},
                                            {"Type", ""},
                                            {"Interval", ""},
                                            {"Timeout", ""},
                                            {"ExposedPort", 0},
                                            {"Definition", bj::object()},
                                            {"CreateIndex", index},
                                            {"ModifyIndex", index}}}));
    EXPECT_EQ(bench.put(kRegister, kExt).body, "true");
    EXPECT_EQ(bench.stores.index.current, index) << "the same again is no change";
    EXPECT_EQ(bench.put(kDeregister, R"({"Node":"ext"})").body, "true");
    EXPECT_EQ(bench.get("/v1/health/service/ext-svc").body, "[]");
    EXPECT_GT(bench.get("/v1/health/service/ext-svc").index, index);
    EXPECT_EQ(bench.put(kDeregister, R"({"Node":"ext"})").body, "true");
}

// Goal: an external node is in every list beside this one, in order of names, and found whatever the case.
TEST(ConsulExternalNodes, EveryListHasThem) {
    StoresBench bench;
    bench.put("/v1/agent/service/register", R"({"ID":"web-1","Name":"web","Tags":["own"],"Check":{"TTL":"10s"}})");
    ASSERT_EQ(bench.put(kRegister, kDatabase).status, 200);
    ASSERT_EQ(bench.put(kRegister, R"({"Node":"zebra","Address":"10.0.0.8","Service":{"Service":"web"}})").status, 200);
    EXPECT_EQ(names(bench.json("/v1/catalog/nodes"), "Node"), (bj::array{"db", "flotilla", "zebra"}));
    EXPECT_EQ(names(bench.json("/v1/catalog/nodes?node-meta=rack:r1"), "Node"), bj::array{"db"});
    EXPECT_EQ(names(bench.json("/v1/catalog/service/web"), "Node"), (bj::array{"db", "flotilla", "zebra"}));
    EXPECT_EQ(names(bench.json("/v1/catalog/service/web?tag=primary"), "ServiceID"), bj::array{"pg-1"});
    const auto row = bench.json("/v1/catalog/service/web").at(0);
    EXPECT_EQ(row.at("Address"), "10.0.0.9");
    EXPECT_EQ(row.at("ID"), "");
    EXPECT_EQ(row.at("NodeMeta"), (bj::object{{"rack", "r1"}}));
    EXPECT_EQ(row.at("ServicePort"), 5432);
    EXPECT_EQ(bench.json("/v1/catalog/services").at("web"), (bj::array{"own", "primary"}));
    EXPECT_EQ(bench.json("/v1/catalog/node/DB").at("Services").at("pg-1").at("Service"), "web");
    EXPECT_EQ(bench.json("/v1/catalog/node/DB").at("Node").at("Address"), "10.0.0.9");
    EXPECT_EQ(names(bench.json("/v1/catalog/node-services/db").at("Services"), "ID"), bj::array{"pg-1"});
    EXPECT_EQ(names(bench.json("/v1/catalog/node-services/flotilla").at("Services"), "ID"), bj::array{"web-1"});
    EXPECT_TRUE(bench.json("/v1/catalog/node-services/none").at("Node").is_null());
    EXPECT_EQ(names(bench.json("/v1/health/node/db"), "CheckID"), (bj::array{"alive", "pg"}));
    EXPECT_EQ(names(bench.json("/v1/health/checks/web"), "CheckID"), (bj::array{"pg", "service:web-1"}));
    EXPECT_EQ(names(bench.json("/v1/health/state/warning"), "CheckID"), bj::array{"pg"});
    EXPECT_EQ(bench.json("/v1/health/checks/web").at(0).at("Definition"),
              (bj::object{{"TCP", "10.0.0.9:5432"}, {"Interval", "10s"}}));
    EXPECT_EQ(bench.json("/v1/health/checks/web").at(0).at("ServiceTags"), bj::array{"primary"});
    EXPECT_EQ(bench.json("/v1/health/service/web?passing").as_array().size(), 1u) << "zebra: no check fails";
    EXPECT_EQ(bench.json("/v1/health/service/web?filter=Node.Node==db").as_array().size(), 1u);
}

// Goal: indexes: only those who ask for what changed are woken, and an index never goes back.
TEST(ConsulExternalNodes, ChangesWakeWhoAsked) {
    StoresBench bench;
    bench.put(kRegister, kDatabase);
    bench.put(kRegister, kExt);
    const auto web = bench.get("/v1/health/service/web").index;
    const auto other = bench.get("/v1/health/service/ext-svc").index;
    bench.put(kRegister,
              R"({"Node":"db","SkipNodeUpdate":true,"Check":{"Node":"DB","Name":"alive","Status":"critical"}})");
    EXPECT_GT(bench.get("/v1/health/service/web").index, web);
    EXPECT_EQ(bench.get("/v1/health/service/ext-svc").index, other);
    EXPECT_EQ(bench.json("/v1/catalog/node/db").at("Node").at("Address"), "10.0.0.9") << "the node stayed";
    const auto nodes = bench.get("/v1/catalog/nodes").index;
    bench.put(kDeregister, R"({"Node":"db","ServiceID":"pg-1"})");
    EXPECT_EQ(bench.get("/v1/catalog/nodes").index, nodes);
    EXPECT_EQ(names(bench.json("/v1/health/node/db"), "CheckID"), bj::array{"alive"}) << "its checks go with a service";
    const auto gone = bench.get("/v1/health/service/web").index;
    bench.put(kDeregister, R"({"Node":"db"})");
    EXPECT_GE(bench.get("/v1/health/service/web").index, gone);
    EXPECT_GT(bench.get("/v1/catalog/nodes").index, nodes);
}

// Goal: what cannot be is refused in Consul's words, and a registration that fails half way leaves nothing.
TEST(ConsulExternalNodes, RefusalsChangeNothing) {
    StoresBench bench;
    const std::pair<const char*, const char*> kRefused[] = {
        {"{}", "Must provide node"},
        {R"({"Node":"n"})", "Must provide address if SkipNodeUpdate is not set"},
        {R"({"Node":"n","Address":"a","ID":"x"})", "Bad node ID: uuid string is wrong length"},
        {R"({"Node":"n","Address":"a","Datacenter":"dc9"})", "No path to datacenter"},
        {R"({"Node":"n","Address":"a","Service":{"ID":"x"}})",
         "Must provide service name (Service.Service) when service ID is provided"},
        {R"({"Node":"n","Address":"a","Service":{"Service":"s","Address":"0.0.0.0"}})", "Invalid service address"},
        {R"({"Node":"n","Address":"a","Check":{"Node":"m","Name":"c"}})", R"(check node "m" does not match node "n")"},
        {R"({"Node":"n","Address":"a","Service":{"Service":"s"},"Check":{"Name":"c","ServiceID":"other"}})",
         "Missing service registration"},
        {R"({"Node":"Flotilla","Address":"a"})",
         R"(node "flotilla" is this agent's own: register and deregister its services and checks through /v1/agent/)"},
    };
    for (const auto& [body, text] : kRefused) {
        const auto reply = bench.put(kRegister, body);
        EXPECT_EQ(reply.status, 500) << body;
        EXPECT_EQ(reply.body, text) << body;
    }
    for (const auto* body : {"", "{bad", "[1]", R"({"Node":1})", R"({"Node":"n","Address":"a","Bogus":1})",
                             R"({"Node":"n","Address":"a","Service":{"Service":"s","Bogus":1}})",
                             R"({"Node":"n","Address":"a","Check":{"Name":"c","Definition":{"Bogus":1}}})",
                             R"({"Node":"n","Address":"a","Service":{"Service":"s","Port":70000}})",
                             R"({"Node":"n","Address":"a","Check":{"Name":"c","Status":"great"}})",
                             R"({"Node":"n","Address":"a","Service":{"Service":"s","Kind":"connect-proxy"}})"}) {
        const auto reply = bench.put(kRegister, body);
        EXPECT_EQ(reply.status, 400) << body;
        EXPECT_TRUE(reply.body.starts_with("Request decode failed: ")) << reply.body;
    }
    EXPECT_TRUE(bench.stores.external.nodes().empty());
    EXPECT_EQ(bench.stores.changes.version, 0u);
    EXPECT_EQ(bench.put(kDeregister, "{}").body, "Must provide node");
    EXPECT_EQ(bench.put(kDeregister, R"({"Node":"flotilla","ServiceID":"x"})").status, 500);
}

// Goal: they survive a restart whole.
TEST(ConsulExternalNodes, RestartKeepsThem) {
    StoresBench bench;
    bench.put(kRegister, kDatabase);
    bench.put(kRegister, kExt);
    const auto health = bench.get("/v1/health/service/web");
    const auto nodes = bench.get("/v1/catalog/nodes");
    bench.restart();
    EXPECT_EQ(bench.get("/v1/health/service/web").body, health.body);
    EXPECT_EQ(bench.get("/v1/health/service/web").index, health.index);
    EXPECT_EQ(bench.get("/v1/catalog/nodes").body, nodes.body);
    EXPECT_GE(bench.get("/v1/catalog/nodes").index, nodes.index);
}

} // namespace
} // namespace flotilla::hub::consul::external_nodes_test
