#include <flotilla/base/json_reader.hpp>

#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>

namespace flotilla::json_reader_test {
namespace {

enum class Status { pending, out_of_stock };
struct Line {
    std::string product_id;
    Bounded<int, 1, 1000> quantity;
};
struct Order {
    std::string id;
    std::vector<Line> items;
    Money total;
    Status status;
    Timestamp created_at;
    std::optional<Text<1, 5>> note;
};
struct Numbers {
    std::optional<std::int8_t> i8;
    std::optional<std::uint8_t> u8;
    std::optional<std::int32_t> i32;
    std::optional<std::int64_t> i64;
    std::optional<std::uint64_t> u64;
    std::optional<double> real;
    std::optional<Bounded<double, 0.5, 1.5>> ratio;
    std::optional<Money> money;
    std::optional<bool> flag;
};
struct Node {
    int value;
    std::vector<Node> children;
    std::optional<std::map<std::string, Node>> named;
};
struct Change {
    Patch<std::string> name;
    Patch<Bounded<int, 1, 9>> count;
};
struct Nothing {};
struct Texts {
    std::optional<std::string> text;
    std::optional<Text<2>> two;
    std::optional<Status> status;
    std::optional<Timestamp> time;
};

constexpr std::string_view kOrder =
    R"({"id":"o-1","items":[{"productId":"A","quantity":2},{"productId":"B","quantity":1000}],"total":19.99,)"
    R"("status":"OUT_OF_STOCK","createdAt":"2026-01-31T08:00:00.123Z","note":"hi"})";

/// All bad fields as "path: message", one per line; or the error's message; or "accepted".
template <class T>
std::string verdict(std::string_view text) {
    auto value = json::parse<T>(text);
    if (value) return "accepted";
    const auto& error = value.error();
    EXPECT_EQ(error.kind(), Kind::invalid);
    EXPECT_EQ(error.code(), error.fields().empty() ? "invalid_json" : "invalid_request");
    if (error.fields().empty()) return error.message();
    std::string lines;
    for (const auto& [path, message] : error.fields())
        lines += (lines.empty() ? "" : "\n") + path + ": " + message;
    return lines;
}

template <class T>
T parsed(std::string_view text) {
    auto value = json::parse<T>(text);
    if (!value) throw std::runtime_error(value.error().message());
    return std::move(*value);
}

// Goal: a whole object is read, exactly.
TEST(JsonReader, ReadsWholeObject) {
    const auto order = parsed<Order>(kOrder);
    EXPECT_EQ(order.id, "o-1");
    ASSERT_EQ(order.items.size(), 2U);
    EXPECT_EQ(order.items[1].product_id, "B");
    EXPECT_EQ(order.items[1].quantity, 1000);
    EXPECT_EQ(order.total.cents(), 1999);
    EXPECT_EQ(order.status, Status::out_of_stock);
    EXPECT_EQ(order.created_at.to_string(), "2026-01-31T08:00:00.123Z");
    EXPECT_EQ(*order.note, "hi");
    EXPECT_EQ(json::write(order), kOrder);
}

// Goal: white space anywhere, any order of keys and unknown keys change nothing.
TEST(JsonReader, AcceptsAnyOrderWhiteSpaceAndUnknownFields) {
    const auto line = parsed<Line>(
        " \t\r\n{ \"quantity\" : 7 , \"price\" : { \"a\" : [ 1 , { } , [ ] , null ] } , \"productId\" : \"A\" } \n");
    EXPECT_EQ(line.product_id, "A");
    EXPECT_EQ(line.quantity, 7);
    EXPECT_EQ(parsed<Line>("{\"product\\u0049d\":\"A\",\"quantity\":1}").product_id, "A"); // escapes in keys count too
}

// Goal: a key given twice is refused wherever it stands, with its path: also where nobody reads the values, since two
// readers of one text may take different ones (RFC 8259 §4).
TEST(JsonReader, RepeatedKeysAreRefusedAlsoInWhatIsIgnored) {
    const auto line = [](std::string_view more) {
        return verdict<Line>(R"({"productId":"A","quantity":1)" + std::string(more) + "}");
    };
    EXPECT_EQ(line(R"(,"quantity":2)"), "quantity: is given twice");
    EXPECT_EQ(line(R"(,"x":1,"y":2)"), "accepted");
    EXPECT_EQ(line(R"(,"x":1,"y":2,"x":3,"x":4)"), "x: is given twice"); // once, however often
    EXPECT_EQ(line(R"(,"x":[{"a":1},{"a":1,"b":{"c":0,"c":0}}])"), "x[1].b.c: is given twice");
    EXPECT_EQ(line(R"(,"x":{"b":1,"\u0062":2},"y":{"a b":1,"a\u0020b":2})"),
              "x.b: is given twice\ny[\"a b\"]: is given twice"); // escapes are no other key
    EXPECT_EQ(verdict<Line>(R"({"productId":{"a":1,"a":2},"quantity":1})"),
              "productId: expected a string, found an object\nproductId.a: is given twice");
}

// Goal: a missing or null optional is empty; everything else is required.
TEST(JsonReader, MissingFieldsAreListed) {
    EXPECT_FALSE(parsed<Texts>("{}").text);
    EXPECT_FALSE(parsed<Texts>(R"({"text":null})").text);
    EXPECT_EQ(verdict<Line>("{}"), "productId: is required\nquantity: is required");
    EXPECT_EQ(verdict<Order>(R"({"id":"1","items":[{"quantity":1},{}],"total":1,"status":"PENDING"})"),
              "items[0].productId: is required\nitems[1].productId: is required\nitems[1].quantity: is required\n"
              "createdAt: is required");
    EXPECT_EQ(verdict<Nothing>("{}"), "accepted");
    EXPECT_EQ(verdict<Nothing>(R"({"any":1})"), "accepted");
}

// Goal: all bad fields are found at once, with what was expected and what was found, and the message names the first.
TEST(JsonReader, AllBadFieldsAreListed) {
    constexpr std::string_view kText =
        R"({"id":7,"items":[{"productId":"A","quantity":0},{"productId":null,"quantity":"2"}],)"
        R"("total":1.999,"status":"LOST","createdAt":"yesterday","note":"too long"})";
    EXPECT_EQ(verdict<Order>(kText), "id: expected a string, found 7\n"
                                     "items[0].quantity: expected 1..1000, found 0\n"
                                     "items[1].productId: expected a string, found null\n"
                                     "items[1].quantity: expected a whole number, found a string\n"
                                     "total: expected an amount with at most two decimals, found 1.999\n"
                                     "status: expected one of PENDING, OUT_OF_STOCK, found \"LOST\"\n"
                                     "createdAt: expected a time like \"2026-01-31T08:00:00Z\", found \"yesterday\"\n"
                                     "note: expected 1..5 characters, found 8");
    EXPECT_EQ(json::parse<Order>(kText).error().message(), "id: expected a string, found 7 (and 7 more)");
}

// Goal: a number so long that it may be a card's is not repeated to whoever put it in a text's place.
TEST(JsonReader, LongNumbersInATextsPlaceAreNotShown) {
    EXPECT_EQ(verdict<Texts>(R"({"text":4917123412341234})"), "text: expected a string, found a number");
    EXPECT_EQ(verdict<Texts>(R"({"text":-12345678})"), "text: expected a string, found a number");
    EXPECT_EQ(verdict<Texts>(R"({"text":1234567})"), "text: expected a string, found 1234567");
}

// Goal: a value of another kind is named, for every kind, and its content is checked but not shown.
TEST(JsonReader, MismatchedKindsAreNamed) {
    EXPECT_EQ(verdict<Line>("[]"), ": expected an object, found an array");
    EXPECT_EQ(verdict<Line>("null"), ": expected an object, found null");
    EXPECT_EQ(verdict<std::vector<int>>("{}"), ": expected an array, found an object");
    EXPECT_EQ(verdict<std::vector<int>>("[1,true,[2]]"),
              "[1]: expected a whole number, found true\n[2]: expected a whole number, found an array");
    EXPECT_EQ((verdict<std::map<std::string, int>>("[1]")), ": expected an object, found an array");
    EXPECT_EQ(verdict<Numbers>(R"({"flag":"true","real":"1","money":"1","i8":{}})"),
              "flag: expected true or false, found a string\nreal: expected a number, found a string\n"
              "money: expected an amount with at most two decimals, found a string\n"
              "i8: expected a whole number, found an object");
    EXPECT_EQ(verdict<Texts>(R"({"status":1,"time":false})"),
              "status: expected one of PENDING, OUT_OF_STOCK, found 1\n"
              "time: expected a time like \"2026-01-31T08:00:00Z\", found false");
    EXPECT_EQ(verdict<Line>(R"({"productId":{"x":[}},"quantity":1})"), "not JSON: expected a value at byte 19");
}

// Goal: integers are taken only when they are whole and fit, at the limits of every size.
TEST(JsonReader, IntegersAreNeverNarrowed) {
    const auto n = parsed<Numbers>(
        R"({"i8":-128,"u8":255,"i32":-2147483648,"i64":-9223372036854775808,"u64":18446744073709551615})");
    EXPECT_EQ(*n.i8, -128);
    EXPECT_EQ(*n.u8, 255);
    EXPECT_EQ(*n.i32, std::numeric_limits<std::int32_t>::min());
    EXPECT_EQ(*n.i64, std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(*n.u64, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(*parsed<Numbers>(R"({"u64":-0})").u64, 0U);
    EXPECT_EQ(verdict<Numbers>(
                  R"({"i8":128,"u8":256,"i32":2147483648,"i64":9223372036854775808,"u64":18446744073709551616})"),
              "i8: expected -128..127, found 128\nu8: expected 0..255, found 256\n"
              "i32: expected -2147483648..2147483647, found 2147483648\n"
              "i64: expected -9223372036854775808..9223372036854775807, found 9223372036854775808\n"
              "u64: expected 0..18446744073709551615, found 18446744073709551616");
    EXPECT_EQ(verdict<Numbers>(R"({"u8":-1,"u64":-1,"i32":1.5,"i64":1e-3})"),
              "u8: expected 0..255, found -1\nu64: expected 0..18446744073709551615, found -1\n"
              "i32: expected a whole number, found 1.5\ni64: expected a whole number, found 1e-3");
    EXPECT_EQ(*parsed<Numbers>(R"({"i32":1.0})").i32, 1);
    EXPECT_EQ(*parsed<Numbers>(R"({"i64":1e3})").i64, 1000);
}

// Goal: doubles read back what was written, and one that a double cannot hold is refused, not infinite or zero.
TEST(JsonReader, DoublesKeepTheirValue) {
    EXPECT_EQ(*parsed<Numbers>(R"({"real":0.1})").real, 0.1);
    EXPECT_EQ(*parsed<Numbers>(R"({"real":-1.5E+3})").real, -1500.0);
    EXPECT_EQ(*parsed<Numbers>(R"({"real":5e-324})").real, 5e-324);
    EXPECT_EQ(*parsed<Numbers>(R"({"real":3})").real, 3.0);
    EXPECT_EQ(verdict<Numbers>(R"({"real":1e999})"), "real: expected a number that a double can hold, found 1e999");
    EXPECT_EQ(verdict<Numbers>(R"({"ratio":2.5})"), "ratio: expected 0.5..1.5, found 2.5");
    const std::string huge(1000, '9');
    EXPECT_EQ(verdict<Numbers>(R"({"i64":)" + huge + "}"),
              "i64: expected -9223372036854775808..9223372036854775807, found " + huge.substr(0, 40) + "...");
}

// Goal: money is exact from the digits themselves.
TEST(JsonReader, MoneyIsExact) {
    EXPECT_EQ(parsed<Numbers>(R"({"money":0.07})").money->cents(), 7);
    EXPECT_EQ(parsed<Numbers>(R"({"money":70368744177664.01})").money->cents(), 7036874417766401);
    EXPECT_EQ(parsed<Numbers>(R"({"money":-92233720368547758.08})").money->cents(),
              std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(parsed<Numbers>(R"({"money":19.990})").money->cents(), 1999);
    EXPECT_EQ(parsed<Numbers>(R"({"money":1.0e1})").money->cents(), 1000);
    for (const std::string text : {"1.005", "1e-3", "1.0005e1"}) {
        EXPECT_EQ(verdict<Numbers>(R"({"money":)" + text + "}"),
                  "money: expected an amount with at most two decimals, found " + text);
    }
    EXPECT_TRUE(
        verdict<Numbers>(R"({"money":92233720368547758.08})").starts_with("money: expected an amount from -922"));
}

// Goal: the lengths of texts count characters; a text without a maximum names only its minimum.
TEST(JsonReader, TextLengthsAreChecked) {
    EXPECT_EQ(verdict<Texts>(R"({"two":"äö"})"), "accepted");
    EXPECT_EQ(verdict<Texts>(R"({"two":"ä"})"), "two: expected at least 2 characters, found 1");
    EXPECT_EQ(verdict<Texts>(R"({"status":"pending"})"),
              "status: expected one of PENDING, OUT_OF_STOCK, found \"pending\"");
}

// Goal: a Patch tells absent, null and value apart, and its value is checked.
TEST(JsonReader, PatchHasThreeStates) {
    const auto change = parsed<Change>(R"({"name":null})");
    EXPECT_TRUE(change.name.is_null());
    EXPECT_TRUE(change.count.is_absent());
    EXPECT_EQ(*parsed<Change>(R"({"count":4})").count, 4);
    EXPECT_EQ(verdict<Change>(R"({"count":0})"), "count: expected 1..9, found 0");
    EXPECT_EQ(json::write(parsed<Change>(R"({"name":null})")), R"({"name":null})");
}

// Goal: containers in containers are read to any allowed depth, paths lead through them.
TEST(JsonReader, NestedContainersAreRead) {
    constexpr std::string_view kText =
        R"({"value":1,"children":[{"value":2,"children":[]}],"named":{"a b":{"value":3,"children":[]}}})";
    const auto node = parsed<Node>(kText);
    EXPECT_EQ(node.children[0].value, 2);
    EXPECT_EQ(node.named->at("a b").value, 3);
    EXPECT_EQ(json::write(node), kText);
    EXPECT_EQ(verdict<Node>(R"({"value":1,"children":[],"named":{"a b":{"value":"x","children":[{}]},"c":0}})"),
              "named[\"a b\"].value: expected a whole number, found a string\n"
              "named[\"a b\"].children[0].value: is required\nnamed[\"a b\"].children[0].children: is required\n"
              "named.c: expected an object, found 0");
    using Matrix = std::vector<std::vector<std::optional<int>>>;
    EXPECT_EQ(parsed<Matrix>("[[1,null],[]]"), (Matrix{{1, std::nullopt}, {}}));
}

// Goal: scalars stand at the top, too.
TEST(JsonReader, ScalarsAtTheTopAreRead) {
    EXPECT_EQ(parsed<int>(" 42 "), 42);
    EXPECT_EQ(parsed<std::string>("\"a\\nb\""), "a\nb");
    EXPECT_EQ(parsed<bool>("true"), true);
    EXPECT_EQ(parsed<std::optional<int>>("null"), std::nullopt);
    EXPECT_EQ(verdict<int>("1,2"), "not JSON: expected the end at byte 1");
    EXPECT_EQ(verdict<int>("\"1\""), ": expected a whole number, found a string");
}

// Goal: fields that a path gave already are neither required nor read again, only at the top.
TEST(JsonReader, BoundFieldsAreLeftAlone) {
    Line line{.product_id = "from the path", .quantity = 1};
    json::FieldSet bound;
    bound.set(0);
    ASSERT_TRUE(json::parse_into(R"({"quantity":5})", descriptor_of<Line>, &line, bound));
    ASSERT_TRUE(json::parse_into(R"({"quantity":6,"productId":[1]})", descriptor_of<Line>, &line, bound));
    EXPECT_EQ(line.product_id, "from the path");
    EXPECT_EQ(line.quantity, 6);
    EXPECT_FALSE(json::parse_into(R"({"productId":"x"})", descriptor_of<Line>, &line, bound));
}

// Goal: at most a hundred bad fields are listed, so that a hostile text cannot make a huge answer.
TEST(JsonReader, ListOfBadFieldsIsBounded) {
    std::string text = "[0";
    for (int i = 0; i < 500; ++i)
        text += ",\"x\"";
    const auto error = json::parse<std::vector<int>>(text + "]").error();
    EXPECT_EQ(error.fields().size(), 100U);
}

} // namespace
} // namespace flotilla::json_reader_test
