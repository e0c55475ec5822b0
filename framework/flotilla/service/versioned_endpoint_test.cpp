// Single resources with a version: ETag, conditional reads, changes that expect a version.
#include <gtest/gtest.h>

#include <flotilla/base/constrained.hpp>
#include <flotilla/contract/versioned.hpp>
#include <flotilla/service/openapi.hpp>
#include <flotilla/service/test_host.hpp>

namespace flotilla::versioned_endpoint_test {
namespace {

using namespace test;

struct Ship {
    std::string id, name;
    int crew = 0;
};
struct ShipId {
    std::string id;
};
struct RenameShip {
    std::string id;
    Text<1, 20> name;
};
struct ListShips {};

constexpr ErrorCode ship_not_found{"ship_not_found", Kind::not_found, "Ship not found"};

constexpr Service service{"test-service"};
constexpr Endpoint<ShipId, Ship> get{
    service, Method::get, "/ships/{id}", {.versioned = true, .errors = {ship_not_found}}};
constexpr Endpoint<ListShips, std::vector<Ship>> list{service, Method::get, "/ships"};
constexpr Endpoint<Ship, Ship> build{
    service, Method::post, "/ships", {.success = 201, .idempotent = true, .versioned = true}};
constexpr Endpoint<RenameShip, Ship> rename{
    service, Method::patch, "/ships/{id}", {.idempotent = true, .versioned = true, .errors = {ship_not_found}}};
constexpr Endpoint<Ship, Ship> replace{service, Method::put, "/ships/{id}", {.versioned = true}};
constexpr Endpoint<ShipId, Empty> sink{service,
                                       Method::delete_,
                                       "/ships/{id}",
                                       {.versioned = true, .if_match_required = true, .errors = {ship_not_found}}};

constexpr Migration kMigrations[] = {
    {1, "0001_ships",
     "CREATE TABLE ships (id TEXT PRIMARY KEY, name TEXT NOT NULL, crew BIGINT NOT NULL, version BIGINT NOT NULL);"}};

constexpr Table<Versioned<Ship>> ships{"ships"};
constexpr Query<Ship> all_ships{"FROM ships ORDER BY id"};

class Ships {
public:
    explicit Ships(Database& database) : database_(database) {}

    task<Result<Versioned<Ship>>> get(Context& context, ShipId request) {
        co_return co_await must(database_.find(context, ships, request.id), or_none(ship_not_found));
    }
    task<Result<std::vector<Ship>>> list(Context& context, ListShips) { return database_.select(context, all_ships); }
    task<Result<Recorded<Versioned<Ship>>>> build(Context& context, Ship request) {
        co_return co_await database_.answer(context, [=](Transaction& tx) {
            tx.insert(ships, {request});
            return Versioned{request};
        });
    }
    task<Result<Recorded<Changed<Ship>>>> rename(Context& context, RenameShip request, ExpectedVersion expected) {
        co_return co_await database_.answer(context, [=](Transaction& tx) -> Result<Changed<Ship>> {
            auto ship = tx.find(ships, request.id);
            if (!ship) return ship_not_found;
            ship->value.name = request.name;
            return tx.change(ships, *ship, expected);
        });
    }
    task<Result<Changed<Ship>>> replace(Context& context, Ship request, ExpectedVersion expected) {
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<Changed<Ship>> {
            const auto ship = tx.find(ships, request.id);
            if (!ship) return ship_not_found;
            return tx.change(ships, {request, ship->version}, expected);
        });
    }
    task<Result<Changed<Empty>>> sink(Context& context, ShipId request, ExpectedVersion expected) {
        co_return co_await database_.transact(context, [=](Transaction& tx) -> Result<Changed<Empty>> {
            const auto ship = tx.find(ships, request.id);
            if (!ship) return ship_not_found;
            tx.remove(ships, request.id);
            return tx.removed(expected, ship->version);
        });
    }

private:
    Database& database_;
};

class VersionedEndpointTest : public testing::Test {
protected:
    VersionedEndpointTest() {
        built_ = host_.post("/ships", R"({"id":"ada","name":"Ada","crew":3})", {{"Idempotency-Key", "k-1"}});
    }
    static void install(Host& host) {
        auto& object = host.own<Ships>(host.database(kMigrations, {ships, all_ships}));
        host.serve(get, &Ships::get, object);
        host.serve(list, &Ships::list, object);
        host.serve(build, &Ships::build, object);
        host.serve(rename, &Ships::rename, object);
        host.serve(replace, &Ships::replace, object);
        host.serve(sink, &Ships::sink, object);
    }
    http::Response rename_to(std::string name, std::vector<Header> headers = {}) {
        return host_.send("PATCH", "/ships/ada", R"({"name":")" + name + R"("})", std::move(headers));
    }
    int status(std::string field, std::string text) {
        return host_.get("/ships/ada", {{std::move(field), std::move(text)}}).status();
    }
    static std::string etag(const http::Response& response) {
        return std::string(response.head.headers.get("etag").value_or("(none)"));
    }

    Bench bench_;
    TestHost host_{bench_, &install};
    http::Response built_;
};

// Goal: what makes, reads or changes a resource tells its version, and the body is the resource alone.
TEST_F(VersionedEndpointTest, AnswersTellTheVersion) {
    EXPECT_EQ(built_.status(), 201) << built_.body;
    EXPECT_EQ(etag(built_), "\"1\"");
    const auto read = host_.get("/ships/ada");
    EXPECT_EQ(read.body, R"({"id":"ada","name":"Ada","crew":3})");
    EXPECT_EQ(etag(read), "\"1\"");
    const auto changed = rename_to("Beagle");
    EXPECT_EQ(changed.body, R"({"id":"ada","name":"Beagle","crew":3})");
    EXPECT_EQ(etag(changed), "\"2\"");
    EXPECT_EQ(etag(host_.get("/ships/ada")), "\"2\"");
    EXPECT_EQ(etag(host_.get("/ships")), "(none)");
    EXPECT_EQ(etag(host_.get("/ships/none")), "(none)");
}

// Goal: whoever has the version already gets no content (RFC 9110 §13.1.2): tags compare weakly, any of a list counts.
TEST_F(VersionedEndpointTest, KnownVersionIsNotSentAgain) {
    const auto known = host_.get("/ships/ada", {{"If-None-Match", "\"1\""}});
    EXPECT_EQ(known.status(), 304);
    EXPECT_EQ(known.body, "");
    EXPECT_EQ(etag(known), "\"1\"");
    EXPECT_FALSE(known.head.headers.has("content-type"));
    for (const auto* tags : {"W/\"1\"", "\"7\", \"1\"", "*"})
        EXPECT_EQ(status("If-None-Match", tags), 304) << tags;
    for (const auto* tags : {"\"2\"", "\"01\"", "1", "\"1", ""})
        EXPECT_EQ(status("If-None-Match", tags), 200) << tags;
    EXPECT_EQ(host_.send("HEAD", "/ships/ada", {}, {{"If-None-Match", "\"1\""}}).status(), 304);
    EXPECT_EQ(host_.get("/ships/none", {{"If-None-Match", "*"}}).status(), 404);
    EXPECT_EQ(host_.get("/ships", {{"If-None-Match", "*"}}).status(), 200);
    ASSERT_EQ(rename_to("Beagle").status(), 200);
    EXPECT_EQ(status("If-None-Match", "\"1\""), 200);
    EXPECT_EQ(status("If-Modified-Since", "Sun, 06 Nov 2094 08:49:37 GMT"), 200) << "it has no date";
    EXPECT_EQ(status("If-Match", "\"1\""), 412);
    EXPECT_EQ(status("If-Match", "\"2\""), 200);
}

// Goal: a change that expects another version than there is changes nothing (RFC 9110 §13.1.1), and the answer says
// which one there is. Tags compare strongly.
TEST_F(VersionedEndpointTest, ChangeOfAnotherVersionIsRefused) {
    EXPECT_EQ(rename_to("Beagle", {{"If-Match", "\"1\""}}).status(), 200);
    for (const auto* tags : {"\"1\"", "W/\"2\"", "\"02\"", "\"1\", \"3\"", "2", "\"x\"", ""}) {
        const auto refused = rename_to("Calypso", {{"If-Match", tags}});
        EXPECT_EQ(refused.status(), 412) << tags;
        EXPECT_EQ(code_of(refused), "precondition_failed");
        EXPECT_EQ(json_of(refused).at("detail"), "The resource is at version \"2\" now; read it again and decide anew");
    }
    EXPECT_EQ(host_.get("/ships/ada").body, R"({"id":"ada","name":"Beagle","crew":3})");
    EXPECT_EQ(rename_to("Calypso", {{"If-Match", "\"1\""}, {"If-Match", "\"7\", \"2\""}}).status(), 200);
    EXPECT_EQ(rename_to("Discovery", {{"If-Match", "*"}}).status(), 200);
    EXPECT_EQ(rename_to("Endeavour", {{"If-None-Match", "*"}}).status(), 412);
    EXPECT_EQ(rename_to("Endeavour", {{"If-None-Match", "W/\"4\""}}).status(), 412);
    EXPECT_EQ(etag(rename_to("Endeavour", {{"If-None-Match", "\"3\""}})), "\"5\"");
    EXPECT_EQ(host_.send("PATCH", "/ships/none", R"({"name":"X"})", {{"If-Match", "\"1\""}}).status(), 404);
}

// Goal: of two who read the same version one writes, however close they are.
TEST_F(VersionedEndpointTest, OfTwoWithOneVersionOneWrites) {
    std::optional<Result<http::Response>> first, second;
    const std::vector<Header> headers{{"If-Match", "\"1\""}};
    bench_.begin(host_.address(), request_of("PATCH", "/ships/ada", R"({"name":"B"})", headers), first);
    bench_.begin(host_.address(), request_of("PATCH", "/ships/ada", R"({"name":"C"})", headers), second);
    ASSERT_TRUE(bench_.eventually([&] { return first && second; }));
    EXPECT_EQ(value(*first).status() + value(*second).status(), 200 + 412);
    EXPECT_EQ(etag(host_.get("/ships/ada")), "\"2\"");
}

// Goal: a repeated key is answered as the first time, tag and all, whatever the version is by now.
TEST_F(VersionedEndpointTest, ReplayedKeyIsNotMeasuredByItsCondition) {
    const std::vector<Header> headers{{"If-Match", "\"1\""}, {"Idempotency-Key", "k-2"}};
    const auto first = rename_to("Beagle", headers);
    ASSERT_EQ(first.status(), 200) << first.body;
    ASSERT_EQ(rename_to("Calypso").status(), 200);
    const auto replay = rename_to("Beagle", headers);
    EXPECT_EQ(replay.status(), 200);
    EXPECT_EQ(replay.body, first.body);
    EXPECT_EQ(etag(replay), "\"2\"");
    EXPECT_EQ(replay.head.headers.get("idempotency-replayed"), "true");
    const auto built = host_.post("/ships", R"({"id":"ada","name":"Ada","crew":3})", {{"Idempotency-Key", "k-1"}});
    EXPECT_EQ(built.status(), 201);
    EXPECT_EQ(etag(built), "\"1\"");
    // What was refused is not recorded: with the right condition the same key does it.
    EXPECT_EQ(rename_to("Discovery", {{"If-Match", "\"1\""}, {"Idempotency-Key", "k-3"}}).status(), 412);
    EXPECT_EQ(rename_to("Discovery", {{"If-Match", "\"3\""}, {"Idempotency-Key", "k-3"}}).status(), 200);
}

// Goal: an endpoint may demand the condition; a resource that has gone has no tag, and neither has the answer to PUT,
// whose representation is not the one that was sent (RFC 9110 §9.3.4).
TEST_F(VersionedEndpointTest, DemandedConditionAndAnswersWithoutTag) {
    const auto put = host_.send("PUT", "/ships/ada", R"({"name":"Beagle","crew":4})", {{"If-Match", "\"1\""}});
    EXPECT_EQ(put.status(), 200) << put.body;
    EXPECT_EQ(etag(put), "(none)");
    const auto refused = host_.send("DELETE", "/ships/ada");
    EXPECT_EQ(refused.status(), 428);
    EXPECT_EQ(code_of(refused), "precondition_required");
    EXPECT_EQ(host_.send("DELETE", "/ships/ada", {}, {{"If-Match", "\"1\""}}).status(), 412);
    const auto gone = host_.send("DELETE", "/ships/ada", {}, {{"If-Match", "\"2\""}});
    EXPECT_EQ(gone.status(), 204);
    EXPECT_EQ(etag(gone), "(none)");
    EXPECT_EQ(host_.get("/ships/ada").status(), 404);
}

/// Whether a function serves an endpoint of these types.
template <class Function, class Request, class Response>
constexpr bool serves = Serves<Function, Request, Response>;

struct Unchecked {
    task<Result<Ship>> plain(Context&, RenameShip) { co_return Ship{}; }
    task<Result<Versioned<Ship>>> versioned(Context&, RenameShip) { co_return Versioned<Ship>{}; }
    task<Result<Versioned<Ship>>> found(Context&, ShipId) { co_return Versioned<Ship>{}; }
    task<Result<Ship>> unversioned(Context&, ShipId) { co_return Ship{}; }
};

std::string refused(const std::function<void(Host&)>& install) {
    try {
        Bench bench;
        TestHost host(bench, install);
        return "started";
    } catch (const std::logic_error& why) {
        return why.what();
    }
}

// Goal: who declares versions and forgets them, or the condition, does not start; or does not even compile.
TEST(VersionedEndpoint, WhatIsForgottenDoesNotStart) {
    static constexpr Endpoint<RenameShip, Ship> change{service, Method::patch, "/ships/{id}", {.versioned = true}};
    static constexpr Endpoint<ShipId, Ship> plain{service, Method::get, "/plain/{id}"};
    const auto served = [](const auto& endpoint, auto method) {
        return refused([&](Host& host) { host.serve(endpoint, method, host.own<Unchecked>()); });
    };
    constexpr auto kForgotten = "PATCH /ships/{id} is declared versioned and changes the resource: its method answers "
                                "with Changed<Response>, from Transaction::change()";
    EXPECT_EQ(served(change, &Unchecked::plain), kForgotten);
    EXPECT_EQ(served(change, &Unchecked::versioned), kForgotten);
    EXPECT_EQ(served(get, &Unchecked::unversioned),
              "GET /ships/{id} is declared versioned: its method answers with Versioned<Response>");
    EXPECT_EQ(served(plain, &Unchecked::found),
              "GET /plain/{id} answers with a version, but is not declared versioned");
    using Change = task<Result<Changed<Ship>>> (*)(Context&, RenameShip, ExpectedVersion);
    using Careless = task<Result<Changed<Ship>>> (*)(Context&, RenameShip);
    static_assert(serves<Change, RenameShip, Ship> && !serves<Careless, RenameShip, Ship>);
    static_assert(!std::is_constructible_v<Changed<Ship>, Ship, std::int64_t>);
    static_assert(!std::is_default_constructible_v<Changed<Ship>>);
}

// Goal: the contract's document tells the fields and the answers.
TEST(VersionedEndpoint, DocumentTellsConditions) {
    const std::vector<const EndpointInfo*> endpoints{&get, &rename, &sink, &list, &build};
    const auto made = value(json::parse_value(openapi_document("ship-service", "1", endpoints, 1000)));
    const auto at = [&](std::string_view pointer) { return made.at_pointer({pointer.data(), pointer.size()}); };
    const auto has = [&](std::string_view pointer, std::string_view member) {
        return at(pointer).as_object().contains({member.data(), member.size()});
    };
    EXPECT_EQ(at("/paths/~1ships~1{id}/get/parameters/1/name"), "If-None-Match");
    EXPECT_TRUE(has("/paths/~1ships~1{id}/get/responses/200/headers", "ETag"));
    EXPECT_TRUE(has("/paths/~1ships~1{id}/get/responses/304/headers", "ETag"));
    EXPECT_TRUE(has("/paths/~1ships~1{id}/get/responses", "412"));
    EXPECT_EQ(at("/paths/~1ships~1{id}/patch/parameters/2/name"), "If-Match");
    EXPECT_EQ(at("/paths/~1ships~1{id}/patch/parameters/2/required"), false);
    EXPECT_TRUE(has("/paths/~1ships~1{id}/patch/responses/412/content/application~1problem+json/examples",
                    "precondition_failed"));
    EXPECT_FALSE(has("/paths/~1ships~1{id}/patch/responses", "428"));
    EXPECT_EQ(at("/paths/~1ships~1{id}/delete/parameters/1/required"), true);
    EXPECT_TRUE(has("/paths/~1ships~1{id}/delete/responses", "428"));
    EXPECT_FALSE(has("/paths/~1ships~1{id}/delete/responses/204", "headers"));
    EXPECT_TRUE(has("/paths/~1ships/post/responses/201/headers", "ETag"));
    EXPECT_FALSE(has("/paths/~1ships/post/responses", "412"));
    EXPECT_FALSE(has("/paths/~1ships/get", "parameters"));
}

} // namespace
} // namespace flotilla::versioned_endpoint_test
