#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include <flotilla/base/constrained.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/base/money.hpp>
#include <flotilla/base/patch.hpp>
#include <flotilla/base/time.hpp>

#include "tests/fuzz/fuzz.hpp"

// JSON into dynamic values and into a struct with every kind of field: what is read is written and read back the same,
// and what counts as JSON at all is what Boost.JSON, an independent parser, takes for it.

namespace flotilla {
namespace {

using fuzz::require;

enum class Colour { red, dark_blue };

struct Everything {
    std::optional<bool> flag;
    std::optional<int> number;
    std::optional<std::uint64_t> large;
    std::optional<double> fraction;
    std::optional<std::string> text;
    std::optional<Text<1, 5>> short_text;
    std::optional<Bounded<int, 1, 1000>> quantity;
    std::optional<Colour> colour;
    std::optional<Money> price;
    std::optional<Timestamp> at;
    Patch<Money> patch;
    std::optional<std::map<std::string, double>> by_name;
    std::optional<boost::json::value> any;
    std::optional<std::vector<Everything>> more;
};
struct Nothing {};
struct Scalars {
    int number = 0;
    double fraction = 0;
    bool flag = false;
    Money price;
    Bounded<int, 1, 1000> quantity;
    std::vector<std::string> texts;
};

bool is_json(std::string_view text, boost::json::error_code& failed) {
    boost::json::parse_options options;
    options.max_depth = 64;
    (void)boost::json::parse({text.data(), text.size()}, failed, {}, options);
    return !failed;
}

void check_dynamic(std::string_view text) {
    const auto value = json::parse_value(text);
    // A repeated key, say, is JSON and yet refused: with the code of a bad request.
    const bool ours = value || value.error().code() == "invalid_request";
    boost::json::error_code failed;
    const bool theirs = is_json(text, failed);
    require(ours == theirs || failed == boost::json::error::exponent_overflow, "two parsers disagree on what is JSON");
    if (!value) return;
    const auto written = json::write(*value);
    const auto again = json::parse_value(written);
    require(again && json::write(*again) == written, "a dynamic value changes when written and read back");
}

template <Described T>
void check_round_trip(std::string_view text) {
    const auto value = json::parse<T>(text);
    if (!value) {
        require(value.error().kind() == Kind::invalid, "bad JSON is not an invalid request");
        return;
    }
    const auto written = json::write(*value);
    const auto again = json::parse<T>(written);
    require(again && json::write(*again) == written, "a value changes when written and read back");
}

void check_texts(std::string_view text) {
    std::string quoted;
    json::quote(quoted, text);
    require(json::parse<std::string>(quoted).has_value(), "a quoted text is not JSON");
    if (const auto money = Money::parse(text))
        require(Money::parse(money->to_string()).value() == *money, "Money changes");
    if (const auto at = Timestamp::parse(text))
        require(Timestamp::parse(at->to_string()).value() == *at, "a time changes");
    if (const auto span = parse_duration(text))
        require(parse_duration(to_string(*span)).value() == *span, "a span changes");
    Scalars scalars;
    for (const auto& field : descriptor_of<Scalars>.fields) {
        const auto set = json::set_from_text(*field.type, reinterpret_cast<char*>(&scalars) + field.offset, text);
        require(set || set.error().kind() == Kind::invalid, "a bad parameter is not an invalid request");
    }
}

} // namespace
} // namespace flotilla

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flotilla;
    const auto text = fuzz::text_of(data, size);
    check_dynamic(text);
    check_round_trip<Everything>(text);
    check_round_trip<std::map<std::string, Nothing>>(text);
    check_texts(text);
    return 0;
}
