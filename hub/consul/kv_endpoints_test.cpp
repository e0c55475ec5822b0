#include "hub/consul/api_bench.hpp"

namespace flotilla::hub::consul::kv_endpoints_test {
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
        EXPECT_EQ(raw.head.headers.get("X-Content-Type-Options"), "nosniff");
        EXPECT_EQ(raw.head.headers.get("Content-Security-Policy"), "sandbox");
        // An error repeats what was asked, a value as JSON what was written.
        for (const char* path : {"/v1/kv/foo?cas=%3Cscript%3E", "/v1/kv/foo", "/v1/kv/?keys"}) {
            const auto method = std::string_view(path).contains("cas") ? Method::put : Method::get;
            const auto answer = co_await bench.call(method, path);
            EXPECT_EQ(answer.head.headers.get("X-Content-Type-Options"), "nosniff") << path;
        }
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

// Goal: numbers that are none are refused in Consul's words, and nothing is written.
TEST(ConsulKv, NumberThatIsNoneIsRefused) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        const std::pair<const char*, const char*> numbers[] = {
            {"cas=x", R"(strconv.ParseUint: parsing "x": invalid syntax)"},
            {"cas=", R"(strconv.ParseUint: parsing "": invalid syntax)"},
            {"flags=-1", R"(strconv.ParseUint: parsing "-1": invalid syntax)"},
            {"flags=18446744073709551616", R"(strconv.ParseUint: parsing "18446744073709551616": value out of range)"},
        };
        for (const auto& [query, words] : numbers) {
            const auto answer = co_await bench.put(std::string("/v1/kv/a?") + query, "x");
            EXPECT_EQ(answer.status(), 500) << query;
            EXPECT_EQ(answer.body, words);
        }
        EXPECT_EQ((co_await bench.put("/v1/kv/a?release=", "x")).body, "raft apply failed: missing session");
        EXPECT_EQ((co_await bench.put("/v1/kv/a?cas=1&acquire=b", "x")).body, "Conflicting flags: acquire=b&cas=1\n");
        EXPECT_EQ((co_await bench.get("/v1/kv/a")).status(), 404);
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

// Goal: a lock is free as soon as a check fails that its session hangs on, whichever list names it; and a session
// cannot hang on a check that is not there or has failed already.
TEST(ConsulKv, LockIsFreeWithTheFailureOfAnyCheckOfItsSession) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        const auto web = R"({"ID":"web-1","Name":"web","Check":{"TTL":"10s"}})";
        for (const auto* list : {R"("ServiceChecks":[{"ID":"service:web-1"}])", R"("NodeChecks":["service:web-1"])",
                                 R"("Checks":["serfHealth","service:web-1"])"}) {
            const auto create = std::string(R"({"LockDelay":"0s",)") + list + "}";
            EXPECT_EQ((co_await bench.put("/v1/session/create", create)).body,
                      "apply failed: Missing check 'service:web-1' registration");
            co_await bench.put("/v1/agent/service/register", web);
            EXPECT_EQ((co_await bench.put("/v1/session/create", create)).body,
                      "apply failed: Check 'service:web-1' is in critical state");
            co_await bench.put("/v1/agent/check/pass/service:web-1");
            const std::string session =
                parsed(co_await bench.put("/v1/session/create", create)).at("ID").as_string().c_str();
            EXPECT_EQ((co_await bench.put("/v1/kv/lock?acquire=" + session, "held")).body, "true");
            co_await bench.put("/v1/agent/check/warn/service:web-1");
            EXPECT_NE((co_await bench.get("/v1/session/info/" + session)).body, "[]") << list;
            co_await bench.put("/v1/agent/check/fail/service:web-1");
            EXPECT_EQ((co_await bench.get("/v1/session/info/" + session)).body, "[]") << list;
            EXPECT_FALSE(parsed(co_await bench.get("/v1/kv/lock")).at(0).as_object().contains("Session")) << list;
            co_await bench.put("/v1/agent/service/deregister/web-1");
        }
        co_await bench.stop();
    });
}

// Goal: paths are cleaned as Consul's server cleans them, methods are named, and ?pretty is for people.
TEST(ConsulKv, PathsMethodsAndLayoutAreConsuls) {
    run_on_loop([](Context& context) -> task<void> {
        TemporaryFolder folder;
        ApiBench bench(context, folder);
        co_await bench.ready();
        const std::pair<const char*, const char*> moved[] = {
            {"/v1/kv//lead", "/v1/kv/lead"},
            {"/v1/kv/x/../y", "/v1/kv/y"},
            {"/v1/kv?keys", "/v1/kv/?keys="},
            {"/v1/kv/a%2F%2Fb%20c", "/v1/kv/a/b%20c"},
        };
        for (const auto& [target, location] : moved) {
            const auto answer = co_await bench.put(target, "x");
            EXPECT_EQ(answer.status(), 307) << target;
            EXPECT_EQ(answer.head.headers.get("Location"), location);
        }
        EXPECT_EQ((co_await bench.get("/v1/kv/?keys")).body, "[]");
        const auto options = co_await bench.call(Method::options, "/v1/agent/service/register");
        EXPECT_EQ(options.status(), 200);
        EXPECT_EQ(options.head.headers.get("Allow"), "OPTIONS,PUT");
        co_await bench.put("/v1/session/create", R"({"Name":"a \"{quoted}\\"})");
        const auto plain = co_await bench.get("/v1/session/list");
        const auto pretty = co_await bench.get("/v1/session/list?pretty");
        EXPECT_EQ(parsed(pretty), parsed(plain));
        EXPECT_TRUE(pretty.body.starts_with("[\n    {\n        \"ID\": \"")) << pretty.body;
        EXPECT_TRUE(pretty.body.ends_with("\n    }\n]\n")) << pretty.body;
        EXPECT_EQ((co_await bench.get("/v1/event?pretty")).status(), 404);
        co_await bench.stop();
    });
}

} // namespace
} // namespace flotilla::hub::consul::kv_endpoints_test
