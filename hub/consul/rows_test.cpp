#include "hub/consul/rows.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::consul::rows_test {
namespace {

using namespace std::chrono_literals;

void fill(Stores& stores) {
    stores.node.id = "0190a000-0000-7000-8000-000000000001";
    ServiceDefinition service;
    service.id = "web-1";
    service.name = "web";
    service.address = "10.0.0.1";
    service.port = 80;
    service.tags = {"a", "b"};
    service.meta = {{"k", "v"}};
    service.socket_path = "/run/web.sock";
    service.tagged_addresses["wan"] = {"1.2.3.4", 81};
    CheckDefinition ttl;
    ttl.ttl = 10s;
    ttl.deregister_after = 60s;
    ttl.status = CheckStatus::passing;
    CheckDefinition http;
    http.type = CheckType::http;
    http.http = "http://10.0.0.1/";
    http.headers = {{"X", "1"}};
    http.interval = 5s;
    http.successes_before_passing = 2;
    http.failures_before_warning = 3;
    http.failures_before_critical = 4;
    http.output_bytes_max = 100;
    stores.registry.register_service(service, {ttl, http}, false, Instant{});
    Session session;
    session.id = "s1";
    session.ttl = 20s;
    session.ttl_text = "20s";
    session.behavior = SessionBehavior::delete_;
    session.checks = {"old"};
    session.node_checks = {"serfHealth"};
    session.service_checks = {"service:web-1:1"};
    ASSERT_TRUE(stores.sessions.create(session, Instant{}));
    stores.kv.acquire("lock", std::string("\0\xff binary", 9), 42, "s1", Instant{});
    stores.kv.set("gone", "x", 0);
    stores.kv.remove("gone");
}

std::vector<StoredRow> stored(const std::vector<RowChange>& changes) {
    std::vector<StoredRow> rows;
    for (const auto& change : changes) {
        if (change.document) rows.push_back({change.kind, change.id, *change.document});
    }
    return rows;
}

// Goal: what is stored comes back whole: the restored stores would store the same again.
TEST(RegistryRows, RestoredStoresAreTheSame) {
    Stores before;
    fill(before);
    const auto changed = before.changes.changed;
    const auto rows = stored(rows_of(before, changed));
    EXPECT_EQ(rows.size(), 1u + 2 + 1 + 1 + 2);

    Stores after;
    ASSERT_TRUE(restore(after, rows, Instant{}));
    const auto again = stored(rows_of(after, changed));
    ASSERT_EQ(again.size(), rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
        EXPECT_EQ(again[i].document, rows[i].document) << rows[i].id;
    EXPECT_EQ(after.index.current, before.index.current);
    EXPECT_EQ(after.kv.find("lock")->value, before.kv.find("lock")->value);
    EXPECT_EQ(after.registry.service("web-1")->definition, before.registry.service("web-1")->definition);
    EXPECT_EQ(after.registry.check("service:web-1:2")->definition,
              before.registry.check("service:web-1:2")->definition);
    EXPECT_EQ(after.sessions.find("s1")->service_checks, before.sessions.find("s1")->service_checks);
    EXPECT_EQ(after.registry.index_of_service("web"), before.registry.index_of_service("web"));
}

// Goal: what earlier versions stored is read: sessions with one list of checks, checks without limits, services without
// a socket, indexes by names as they were written.
TEST(RegistryRows, RowsOfEarlierVersionsAreRead) {
    Stores stores;
    const auto done = restore(
        stores,
        {{"check", "c",
          R"({"id":"c","name":"c","notes":"","serviceId":"","http":"","method":"","body":"","tcp":"","type":"TTL",)"
          R"("headers":[],"interval":0,"timeout":0,"ttl":1000000000,"deregisterAfter":0,"status":"PASSING","output":"",)"
          R"("createIndex":3,"modifyIndex":3})"},
         {"meta", "node", R"({"nodeId":"n","index":9,"kvIndex":1,"sessionIndex":4})"},
         {"meta", "registry",
          R"({"servicesIndex":2,"checksIndex":3,"nodeIndex":3,"extinctionIndex":1,"serviceIndexes":{"Web":7}})"},
         {"service", "w",
          R"({"definition":{"id":"w","name":"Web","address":"","port":1,"tags":[],"meta":{},"taggedAddresses":{},)"
          R"("weightPassing":1,"weightWarning":1,"enableTagOverride":false},"createIndex":2,"modifyIndex":2})"},
         {"session", "s",
          R"({"id":"s","name":"","node":"flotilla","ttlText":"","lockDelay":0,"ttl":0,"behavior":"RELEASE",)"
          R"("checks":["serfHealth","c"],"createIndex":4,"modifyIndex":4})"}},
        Instant{});
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(stores.registry.index_of_service("web"), 7u);
    EXPECT_EQ(stores.sessions.find("s")->node_checks, (std::vector<std::string>{"serfHealth", "c"}));
    stores.sessions.check_failed("c", Instant{});
    EXPECT_FALSE(stores.sessions.find("s"));
}

// Goal: a row that cannot be read stops the start instead of losing data quietly.
TEST(RegistryRows, DamagedRowIsAnError) {
    Stores stores;
    const auto done = restore(stores, {{"service", "web-1", "{\"definition\":"}}, Instant{});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind(), Kind::internal);
    EXPECT_NE(done.error().message().find("web-1"), std::string::npos);
}

} // namespace
} // namespace flotilla::hub::consul::rows_test
