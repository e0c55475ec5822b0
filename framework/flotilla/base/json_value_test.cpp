#include <flotilla/base/json_value.hpp>

#include <stdexcept>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <gtest/gtest.h>

#include <flotilla/base/json.hpp>

namespace flotilla::json_value_test {
namespace {

struct Envelope {
    std::string type;
    boost::json::value data;
    std::optional<boost::json::value> extra;
};

// Goal: any JSON is kept, in the order of its keys, and written back the same.
TEST(JsonValue, RoundTripsAnyJson) {
    for (const std::string text : {"null", "true", "false", "\"a\\nb\"", "[]", "{}", "-1", "-0", "9223372036854775807",
                                   "18446744073709551615", "0.1", R"({"z":1,"a":[1,2,{"b":null}],"c":{"d":"é"}})"}) {
        EXPECT_EQ(json::write(json::parse_value(text).value()), text);
    }
}

// Goal: whole numbers stay whole as far as 64 bits go.
TEST(JsonValue, KeepsTheKindsOfNumbers) {
    EXPECT_TRUE(json::parse_value("-5").value().is_int64());
    EXPECT_TRUE(json::parse_value("18446744073709551615").value().is_uint64());
    EXPECT_TRUE(json::parse_value("18446744073709551616").value().is_double());
    EXPECT_TRUE(json::parse_value("1.0").value().is_double());
    EXPECT_TRUE(json::parse_value("1e2").value().is_double());
    EXPECT_EQ(json::parse_value("1e999").error().message(), "expected a number that a double can hold, found 1e999");
}

// Goal: a dynamic value is a field like any other; null is a value of it, and absence is not.
TEST(JsonValue, IsFieldOfStructs) {
    const auto envelope = json::parse<Envelope>(R"({"type":"t","data":{"a":[1]}})").value();
    EXPECT_EQ(envelope.data.at("a").at(0), 1);
    EXPECT_FALSE(envelope.extra);
    EXPECT_EQ(json::write(envelope), R"({"type":"t","data":{"a":[1]}})");
    EXPECT_TRUE(json::parse<Envelope>(R"({"type":"t","data":null,"extra":null})").value().data.is_null());
    EXPECT_EQ(json::parse<Envelope>(R"({"type":"t"})").error().message(), "data: is required");
    EXPECT_EQ(json::parse<Envelope>(R"({"type":"t","data":{"x":[{"a":1,"a":2}]}})").error().fields()[0].path,
              "data.x[0].a");
}

// Goal: a number that JSON cannot say is a bug that shows.
TEST(JsonValue, UnwritableNumberThrows) {
    EXPECT_THROW((void)json::write(boost::json::value(std::numeric_limits<double>::infinity())), std::domain_error);
}

} // namespace
} // namespace flotilla::json_value_test
