#include <flotilla/service/openapi.hpp>

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <flotilla/base/json_value.hpp>
#include <flotilla/service/test_host.hpp>

namespace flotilla::openapi_test {
namespace {

using namespace test;

struct ShipId {
    std::string id;
};
struct Ship {
    std::string id, name;
};
struct ListShips {
    std::optional<Bounded<int, 1, 100>> limit;
    std::string port;
    std::vector<std::string> flag;
};
struct RenameShip {
    std::string id;
    Text<1, 20> name;
};

constexpr ErrorCode ship_not_found{"ship_not_found", Kind::not_found, "Ship {} not found"};
constexpr ErrorCode name_taken{"name_taken", Kind::conflict, "The name is taken"};

constexpr Service service{"test-service"};
constexpr Endpoint<ListShips, std::vector<Ship>> list{service, Method::get, "/ships", {.summary = "List ships"}};
constexpr Endpoint<ShipId, Ship> get{service, Method::get, "/ships/{id}", {.errors = {ship_not_found}}};
constexpr Endpoint<RenameShip, Ship> rename{
    service, Method::patch, "/ships/{id}", {.idempotent = true, .errors = {ship_not_found, name_taken}}};
constexpr Endpoint<ShipId, Empty> sink{service, Method::delete_, "/ships/{id}"};
constexpr Endpoint<Ship, Ship> build{service, Method::post, "/ships", {.success = 201}};

struct Fleet {
    std::vector<Ship> ships;
};
constexpr Endpoint<Fleet, Empty> replace{service, Method::put, "/ships"};

struct Picture {
    std::string id;
    Text<1, 20> name;
};
constexpr StreamedEndpoint<Picture, Empty> paint{
    service, Method::put, "/ships/{id}/picture", {.body_bytes_max = 50 << 20}};

constexpr EventStreamEndpoint<ShipId, Ship> follow{
    service, Method::get, "/ships/{id}/changes", {.errors = {ship_not_found}}};

boost::json::value document(std::vector<const EndpointInfo*> endpoints) {
    return value(json::parse_value(openapi_document("ship-service", "1.2.3", endpoints, 1000)));
}
const boost::json::value& at(const boost::json::value& from, std::string_view pointer) {
    return from.at_pointer({pointer.data(), pointer.size()});
}
boost::json::value parsed(std::string_view text) { return value(json::parse_value(text)); }

std::vector<std::string> keys(const boost::json::value& object) {
    std::vector<std::string> names;
    for (const auto& [key, ignored] : object.as_object())
        names.emplace_back(key);
    return names;
}
using Names = std::vector<std::string>;

// Goal: the head of the document names the service; operations stand under their path, with unique names.
TEST(OpenapiDocument, EndpointsBecomeOperations) {
    const auto made = document({&list, &get, &rename, &sink, &build});
    EXPECT_EQ(at(made, "/openapi"), "3.1.0");
    EXPECT_EQ(at(made, "/info"), parsed(R"({"title":"ship-service","version":"1.2.3"})"));
    EXPECT_EQ(keys(at(made, "/paths")), (Names{"/ships", "/ships/{id}"}));
    EXPECT_EQ(keys(at(made, "/paths/~1ships")), (Names{"get", "post"}));
    EXPECT_EQ(keys(at(made, "/paths/~1ships~1{id}")), (Names{"get", "patch", "delete"}));
    EXPECT_EQ(at(made, "/paths/~1ships/get/operationId"), "getShips");
    EXPECT_EQ(at(made, "/paths/~1ships/get/summary"), "List ships");
    EXPECT_EQ(at(made, "/paths/~1ships~1{id}/delete/operationId"), "deleteShipsById");
}

// Goal: query parameters carry their schemas; optional ones and lists may be left out.
TEST(OpenapiDocument, QueryFieldsBecomeParameters) {
    const auto made = document({&list});
    EXPECT_EQ(at(made, "/paths/~1ships/get/parameters"), parsed(R"([
        {"name":"limit","in":"query","required":false,
         "schema":{"type":"integer","format":"int32","minimum":1,"maximum":100}},
        {"name":"port","in":"query","required":true,"schema":{"type":"string"}},
        {"name":"flag","in":"query","required":false,"schema":{"type":"array","items":{"type":"string"}}}])"));
    EXPECT_EQ(at(made, "/paths/~1ships/get/responses/200"), parsed(R"({"description":"OK","content":{
        "application/json":{"schema":{"type":"array","items":{"$ref":"#/components/schemas/Ship"}}}}})"));
    EXPECT_EQ(keys(at(made, "/paths/~1ships/get/responses")), (Names{"200", "400", "default"}));
}

// Goal: declared errors stand under their status, with the problem a client gets as example.
TEST(OpenapiDocument, DeclaredErrorsBecomeProblems) {
    const auto made = document({&get});
    EXPECT_EQ(keys(at(made, "/paths/~1ships~1{id}/get/responses")), (Names{"200", "400", "404", "default"}));
    EXPECT_EQ(at(made, "/paths/~1ships~1{id}/get/responses/404"), parsed(R"({"description":"Not Found","content":{
        "application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"},"examples":{
        "ship_not_found":{"summary":"Ship {} not found","value":{"type":"urn:flotilla:error:ship_not_found",
        "title":"Not Found","status":404,"detail":"Ship {} not found","code":"ship_not_found",
        "error":"Ship {} not found"}}}}}})"));
    EXPECT_TRUE(at(made, "/components/schemas/Problem/properties").as_object().contains("error"));
}

// Goal: what the path gives is no part of the body; an idempotent endpoint has its header and its refusals.
TEST(OpenapiDocument, IdempotentEndpointDeclaresKeyAndRefusals) {
    const auto made = document({&rename});
    const auto& operation = at(made, "/paths/~1ships~1{id}/patch");
    EXPECT_EQ(at(operation, "/requestBody"), parsed(R"({"required":true,"content":{"application/json":{"schema":{
        "type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":20}},
        "required":["name"]}}}})"));
    EXPECT_EQ(at(operation, "/parameters/0/name"), "id");
    EXPECT_EQ(at(operation, "/parameters/0/in"), "path");
    EXPECT_EQ(at(operation, "/parameters/1/name"), "Idempotency-Key");
    EXPECT_TRUE(at(operation, "/responses/200/headers").as_object().contains("Idempotency-Replayed"));
    EXPECT_EQ(keys(at(operation, "/responses")), (Names{"200", "400", "404", "409", "413", "415", "422", "default"}));
    EXPECT_EQ(keys(at(operation, "/responses/400/content/application~1problem+json/examples")),
              (Names{"invalid_request", "invalid_path", "invalid_json", "invalid_idempotency_key"}));
    EXPECT_EQ(keys(at(operation, "/responses/409/content/application~1problem+json/examples")),
              (Names{"name_taken", "idempotency_key_in_use"}));
}

// Goal: where the bare list is taken as well, the document says so.
TEST(OpenapiDocument, RequestOfOneListMayBeTheListItself) {
    const auto made = document({&replace, &build});
    EXPECT_EQ(at(made, "/paths/~1ships/put/requestBody/content/application~1json/schema"),
              parsed(R"({"oneOf":[{"$ref":"#/components/schemas/Fleet"},)"
                     R"({"type":"array","items":{"$ref":"#/components/schemas/Ship"}}]})"));
    EXPECT_EQ(at(made, "/paths/~1ships/post/requestBody/content/application~1json/schema"),
              parsed(R"({"$ref":"#/components/schemas/Ship"})"));
}

// Goal: a streamed body is bytes; its parameters travel in path and query, and 413 says how much it may be.
TEST(OpenapiDocument, StreamedEndpointTakesBytes) {
    const auto made = document({&paint, &rename});
    const auto& operation = at(made, "/paths/~1ships~1{id}~1picture/put");
    EXPECT_EQ(at(operation, "/requestBody"), parsed(R"({"required":true,"content":{"application/octet-stream":)"
                                                    R"({"schema":{"type":"string","format":"binary"}}}})"));
    EXPECT_EQ(at(operation, "/parameters/0/in"), "path");
    EXPECT_EQ(at(operation, "/parameters/1/in"), "query");
    EXPECT_EQ(keys(at(operation, "/responses")), (Names{"204", "400", "413", "default"}));
    EXPECT_EQ(at(operation, "/responses/413/description"),
              "Content Too Large: the body may have at most 52428800 bytes");
    EXPECT_EQ(keys(at(operation, "/responses/413/content/application~1problem+json/examples")),
              (Names{"content_too_large"}));
    // Without a limit of its own the service's stands there.
    EXPECT_EQ(at(made, "/paths/~1ships~1{id}/patch/responses/413/description"),
              "Content Too Large: the body may have at most 1000 bytes");
}

// Goal: an answer without content is 204 and has none.
TEST(OpenapiDocument, EmptyResponseHasNoContent) {
    const auto made = document({&sink});
    EXPECT_EQ(at(made, "/paths/~1ships~1{id}/delete/responses/204"), parsed(R"({"description":"No Content"})"));
}

task<Result<Ship>> named(Context&, ShipId request) { co_return Ship{.id = request.id, .name = "Ada"}; }

struct Launched {
    std::string ship_id;
};
constexpr Topic<Launched> launched{"ship.launched"};

// Goal: a service shows both documents, and nothing but reading them is allowed.
TEST(HostContracts, ServiceServesItsDocuments) {
    Bench bench;
    TestHost host(bench, [](Host& made) {
        made.serve(get, named);
        made.publishes(launched);
    });
    const auto openapi = host.get("/openapi.json");
    EXPECT_EQ(openapi.status(), 200);
    EXPECT_EQ(openapi.head.headers.get("content-type"), "application/json");
    EXPECT_EQ(openapi.body,
              openapi_document("test-service", "0.1.0", std::vector<const EndpointInfo*>{&get}, 10 << 20));
    const auto asyncapi = json_of(host.get("/asyncapi.json"));
    EXPECT_EQ(at(asyncapi, "/operations/sendShipLaunched/action"), "send");
    EXPECT_EQ(host.post("/openapi.json", "{}").status(), 405);
}

// Goal: an event stream is text of its media type, and what its events hold is in the document.
TEST(OpenapiDocument, EventStreamShowsItsItems) {
    const auto made = document({&follow});
    const auto content = at(made, "/paths/~1ships~1{id}~1changes/get/responses/200/content").as_object();
    ASSERT_EQ(content.size(), 1U);
    EXPECT_EQ(content.at("text/event-stream"),
              parsed(R"({"schema":{"type":"string"},"x-item-schema":{"$ref":"#/components/schemas/Ship"}})"));
    EXPECT_TRUE(at(made, "/components/schemas").as_object().contains("Ship"));
    EXPECT_TRUE(at(made, "/paths/~1ships~1{id}~1changes/get/responses").as_object().contains("503"));
}

} // namespace
} // namespace flotilla::openapi_test
