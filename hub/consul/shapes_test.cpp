#include "hub/consul/shapes.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::consul::shapes_test {
namespace {

// Goal: a health entry has exactly Consul's members.
TEST(ConsulShapes, HealthEntryIsGolden) {
    Index index;
    ChangeLog changes;
    RegistryState registry(index, changes);
    ServiceDefinition service;
    service.id = "web-1";
    service.name = "web";
    service.address = "10.0.0.1";
    service.port = 80;
    service.tags = {"v1"};
    service.meta = {{"k", "v"}};
    CheckDefinition check;
    check.ttl = std::chrono::seconds(10);
    check.status = CheckStatus::passing;
    check.deregister_after = std::chrono::seconds(60);
    registry.register_service(service, {check}, false, Instant{});
    const Node node{"node-id", 1};
    EXPECT_EQ(
        boost::json::serialize(health_json(node, registry, *registry.service("web-1"))),
        R"({"Node":{"ID":"node-id","Node":"flotilla","Address":"127.0.0.1","Datacenter":"dc1",)"
        R"("TaggedAddresses":{"lan":"127.0.0.1","lan_ipv4":"127.0.0.1","wan":"127.0.0.1","wan_ipv4":"127.0.0.1"},)"
        R"("Meta":{"consul-network-segment":"","consul-version":"1.20.0"},"CreateIndex":1,"ModifyIndex":1},)"
        R"("Service":{"ID":"web-1","Service":"web","Tags":["v1"],"Address":"10.0.0.1","Meta":{"k":"v"},)"
        R"("Port":80,"Weights":{"Passing":1,"Warning":1},"EnableTagOverride":false,)"
        R"("Proxy":{"Mode":"","MeshGateway":{},"Expose":{}},"Connect":{},"PeerName":"","CreateIndex":2,"ModifyIndex":2},)"
        R"("Checks":[{"Node":"flotilla","CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing","Notes":"",)"
        R"("Output":"Agent alive and reachable","ServiceID":"","ServiceName":"","ServiceTags":[],"Type":"","Interval":"",)"
        R"("Timeout":"","ExposedPort":0,"Definition":{},"CreateIndex":1,"ModifyIndex":1},)"
        R"({"Node":"flotilla","CheckID":"service:web-1","Name":"Service 'web' check","Status":"passing","Notes":"","Output":"",)"
        R"("ServiceID":"web-1","ServiceName":"web","ServiceTags":["v1"],"Type":"ttl","Interval":"","Timeout":"","ExposedPort":0,)"
        R"("Definition":{},"CreateIndex":3,"ModifyIndex":3}]})");
}

// Goal: a KV entry without a value says null; the session is there only while the lock is held.
TEST(ConsulShapes, KvEntryIsGolden) {
    EXPECT_EQ(boost::json::serialize(kv_json({"a", "", 0, "", 3, 4, 0})),
              R"({"LockIndex":0,"Key":"a","Flags":0,"Value":null,"CreateIndex":3,"ModifyIndex":4})");
    EXPECT_EQ(
        boost::json::serialize(kv_json({"a", "hi", 18446744073709551615u, "s", 3, 4, 1})),
        R"({"LockIndex":1,"Key":"a","Flags":18446744073709551615,"Value":"aGk=","Session":"s","CreateIndex":3,"ModifyIndex":4})");
}

} // namespace
} // namespace flotilla::hub::consul::shapes_test
