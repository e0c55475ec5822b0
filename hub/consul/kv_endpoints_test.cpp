#include "hub/consul/api_bench.hpp"

namespace flotilla::hub::consul {
namespace {

// Goal: values come back as base64, raw as they were, and absent keys are 404 with an index to wait on.
TEST(ConsulKv, PutThenGetGivesValue) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        const auto absent = co_await bench.get("/v1/kv/foo");
        EXPECT_EQ(absent.status(), 404);
        EXPECT_EQ(absent.body, "");
        EXPECT_NE(index_of(absent), "");
        EXPECT_EQ((co_await bench.put("/v1/kv/foo?flags=42", std::string("\x00\xff", 2))).body, "true");
        const auto entry = parsed(co_await bench.get("/v1/kv/foo")).at(0);
        EXPECT_EQ(entry.at("Value"), "AP8=");
        EXPECT_EQ(entry.at("Flags"), 42);
        const auto raw = co_await bench.get("/v1/kv/foo?raw");
        EXPECT_EQ(raw.body, std::string("\x00\xff", 2));
        EXPECT_EQ(raw.head.headers.get("Content-Type"), "text/plain");
        co_await bench.put("/v1/kv/empty");
        EXPECT_TRUE(parsed(co_await bench.get("/v1/kv/empty")).at(0).at("Value").is_null());
        co_await bench.stop();
    });
}

// Goal: trees are read, listed and deleted by prefix; encoded names are names.
TEST(ConsulKv, TreesWorkByPrefix) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        for (const auto* key : {"config/a", "config/b/c", "config/b/d", "config/x/y", "other", "sp%20ace%2Fslash"}) {
            EXPECT_EQ((co_await bench.put(std::string("/v1/kv/") + key, "1")).body, "true");
        }
        EXPECT_EQ((co_await bench.get("/v1/kv/config/?keys&separator=/")).body,
                  R"(["config/a","config/b/","config/x/"])");
        EXPECT_EQ((co_await bench.get("/v1/kv/sp?keys")).body, R"(["sp ace/slash"])");
        EXPECT_EQ(parsed(co_await bench.get("/v1/kv/config/b?recurse=true")).as_array().size(), 2u);
        EXPECT_EQ((co_await bench.get("/v1/kv/nothing?recurse")).status(), 404);
        EXPECT_EQ((co_await bench.call(Method::delete_, "/v1/kv/config/?recurse")).body, "true");
        EXPECT_EQ((co_await bench.get("/v1/kv/?keys")).body, R"(["other","sp ace/slash"])");
        co_await bench.stop();
    });
}

// Goal: check-and-set over HTTP obeys the index, for writing and for deleting.
TEST(ConsulKv, CasObeysIndex) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        EXPECT_EQ((co_await bench.put("/v1/kv/foo?cas=50", "1")).body, "false");
        EXPECT_EQ((co_await bench.put("/v1/kv/foo?cas=0", "1")).body, "true");
        EXPECT_EQ((co_await bench.put("/v1/kv/foo?cas=0", "2")).body, "false");
        const auto index = index_of(co_await bench.get("/v1/kv/foo"));
        EXPECT_EQ((co_await bench.call(Method::delete_, "/v1/kv/foo?cas=1")).body, "false");
        EXPECT_EQ((co_await bench.put("/v1/kv/foo?cas=" + index, "2")).body, "true");
        EXPECT_EQ((co_await bench.get("/v1/kv/foo?raw")).body, "2");
        co_await bench.stop();
    });
}

// Goal: a lock has one holder; it is free once the session is destroyed, and an invalid session is no holder.
TEST(ConsulKv, LocksFollowSessions) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        const auto create = R"({"LockDelay":"0s"})";
        const std::string first = parsed(co_await bench.put("/v1/session/create", create)).at("ID").as_string().c_str();
        const std::string second =
            parsed(co_await bench.put("/v1/session/create", create)).at("ID").as_string().c_str();
        EXPECT_EQ((co_await bench.put("/v1/kv/lock?acquire=nobody", "0")).status(), 500);
        EXPECT_EQ((co_await bench.put("/v1/kv/lock?acquire=" + first, "1")).body, "true");
        EXPECT_EQ((co_await bench.put("/v1/kv/lock?acquire=" + second, "2")).body, "false");
        EXPECT_EQ(parsed(co_await bench.get("/v1/kv/lock")).at(0).at("Session"), first.c_str());
        const auto index = index_of(co_await bench.get("/v1/kv/lock"));
        std::optional<http::Response> freed;
        Scope scope(context);
        scope.spawn(store_response(bench.get("/v1/kv/lock?wait=60s&index=" + index), freed));
        EXPECT_EQ((co_await bench.put("/v1/session/destroy/" + first)).body, "true");
        co_await scope.join();
        EXPECT_FALSE(parsed(*freed).at(0).as_object().contains("Session"));
        EXPECT_EQ((co_await bench.put("/v1/kv/lock?acquire=" + second, "2")).body, "true");
        EXPECT_EQ((co_await bench.get("/v1/session/info/" + first)).body, "[]");
        EXPECT_EQ(parsed(co_await bench.get("/v1/session/list")).as_array().size(), 1u);
        EXPECT_EQ((co_await bench.put("/v1/session/renew/" + first)).status(), 404);
        EXPECT_EQ((co_await bench.put("/v1/session/renew/" + second)).status(), 200);
        co_await bench.stop();
    });
}

// Goal: a value above Consul's limit is refused, one at the limit is not.
TEST(ConsulKv, ValueOverLimitIsTooLarge) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        EXPECT_EQ((co_await bench.put("/v1/kv/big", std::string(512 * 1024, 'x'))).status(), 200);
        EXPECT_EQ((co_await bench.put("/v1/kv/big", std::string(512 * 1024 + 1, 'x'))).status(), 413);
        co_await bench.stop();
    });
}

} // namespace
} // namespace flotilla::hub::consul
