#include <flotilla/service/json_schema.hpp>

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <flotilla/base/json_value.hpp>

namespace flotilla::json_schema_test {
namespace {

enum class Shade { light, very_dark };
struct Leaf {
    std::string name;
};
struct Every {
    bool yes = false;
    std::int8_t tiny = 0;
    std::uint16_t small = 0;
    int plain = 0;
    std::uint32_t positive = 0;
    std::int64_t large = 0;
    std::uint64_t huge = 0;
    Bounded<int, 1, 1000> quantity;
    double weight = 0;
    Bounded<double, 0.5, 2.5> factor = 1.0;
    std::string text;
    Text<1, 200> title;
    Text<3> long_enough;
    Money price;
    Timestamp at;
    Shade shade = Shade::light;
    std::optional<Text<1, 5>> note;
    std::optional<Shade> second;
    Patch<int> change;
    Patch<Leaf> graft;
    Patch<boost::json::value> anything_or_null;
    std::vector<Leaf> leaves;
    std::vector<std::optional<int>> gaps;
    std::map<std::string, Leaf> named;
    boost::json::value anything;
};
struct Node {
    int value = 0;
    std::vector<Node> children;
};

namespace other {
struct Leaf {
    int size = 0;
};
} // namespace other

constexpr auto kEvery = R"({
  "Every": {
    "type": "object",
    "properties": {
      "yes": {"type": "boolean"},
      "tiny": {"type": "integer", "minimum": -128, "maximum": 127},
      "small": {"type": "integer", "minimum": 0, "maximum": 65535},
      "plain": {"type": "integer", "format": "int32", "minimum": -2147483648, "maximum": 2147483647},
      "positive": {"type": "integer", "minimum": 0, "maximum": 4294967295},
      "large": {"type": "integer", "format": "int64", "minimum": -9223372036854775808,
                "maximum": 9223372036854775807},
      "huge": {"type": "integer", "minimum": 0, "maximum": 18446744073709551615},
      "quantity": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 1000},
      "weight": {"type": "number", "format": "double", "minimum": -1.7976931348623157e308,
                 "maximum": 1.7976931348623157e308},
      "factor": {"type": "number", "format": "double", "minimum": 0.5, "maximum": 2.5},
      "text": {"type": "string"},
      "title": {"type": "string", "minLength": 1, "maxLength": 200},
      "longEnough": {"type": "string", "minLength": 3},
      "price": {"type": "number", "multipleOf": 0.01, "minimum": -92233720368547758,
                "maximum": 92233720368547758},
      "at": {"type": "string", "format": "date-time",
             "pattern": "^[0-9-]{10}[Tt][0-9:]{8}(\\.[0-9]{1,9})?([Zz]|[+-][0-9:]{5})$"},
      "shade": {"$ref": "#/components/schemas/Shade"},
      "note": {"type": "string", "minLength": 1, "maxLength": 5},
      "second": {"$ref": "#/components/schemas/Shade"},
      "change": {"type": ["integer", "null"], "format": "int32", "minimum": -2147483648,
                 "maximum": 2147483647},
      "graft": {"anyOf": [{"$ref": "#/components/schemas/Leaf"}, {"type": "null"}]},
      "anythingOrNull": {},
      "leaves": {"type": "array", "items": {"$ref": "#/components/schemas/Leaf"}},
      "gaps": {"type": "array", "items": {"type": ["integer", "null"], "format": "int32",
               "minimum": -2147483648, "maximum": 2147483647}},
      "named": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Leaf"}},
      "anything": {}
    },
    "required": ["yes", "tiny", "small", "plain", "positive", "large", "huge", "quantity", "weight", "factor", "text",
                 "title", "longEnough", "price", "at", "shade", "leaves", "gaps", "named", "anything"]
  },
  "Leaf": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
  "Shade": {"type": "string", "enum": ["LIGHT", "VERY_DARK"]}
})";

std::string normal(std::string_view text) {
    return boost::json::serialize(boost::json::parse({text.data(), text.size()}));
}
std::string text_of(const boost::json::object& object) { return boost::json::serialize(object); }

// Goal: every kind of type has its schema, with bounds, formats and what may be left out.
TEST(JsonSchemas, EveryKindHasItsSchema) {
    JsonSchemas schemas;
    EXPECT_EQ(text_of(schemas.schema_of(descriptor_of<Every>)), R"({"$ref":"#/components/schemas/Every"})");
    EXPECT_EQ(text_of(schemas.components()), normal(kEvery));
}

// Goal: a type that contains itself refers to itself.
TEST(JsonSchemas, RecursiveTypeRefersToItself) {
    JsonSchemas schemas;
    schemas.schema_of(descriptor_of<Node>);
    EXPECT_EQ(text_of(schemas.components()), normal(R"({"Node": {"type": "object", "properties": {
        "value": {"type": "integer", "format": "int32", "minimum": -2147483648, "maximum": 2147483647},
        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}},
        "required": ["value", "children"]}})"));
}

// Goal: types of one name, and names that the document uses itself, stay apart.
TEST(JsonSchemas, TypesOfOneNameAreNumbered) {
    constexpr std::string_view kReserved[] = {"Node"};
    JsonSchemas schemas(kReserved);
    EXPECT_EQ(schemas.schema_of(descriptor_of<Leaf>).at("$ref"), "#/components/schemas/Leaf");
    EXPECT_EQ(schemas.schema_of(descriptor_of<other::Leaf>).at("$ref"), "#/components/schemas/Leaf2");
    EXPECT_EQ(schemas.schema_of(descriptor_of<Leaf>).at("$ref"), "#/components/schemas/Leaf");
    EXPECT_EQ(schemas.schema_of(descriptor_of<Node>).at("$ref"), "#/components/schemas/Node2");
    EXPECT_FALSE(schemas.components().contains("Node"));
}

// Goal: operation names read as one word.
TEST(OperationName, PathsAndTopicsBecomeOneWord) {
    EXPECT_EQ(operation_name("get", "/orders/{id}"), "getOrdersById");
    EXPECT_EQ(operation_name("post", "/orders/{orderId}/confirm"), "postOrdersByOrderIdConfirm");
    EXPECT_EQ(operation_name("send", "order.created"), "sendOrderCreated");
    EXPECT_EQ(component_name("Page<a/b>"), "Page_a_b_");
}

} // namespace
} // namespace flotilla::json_schema_test
