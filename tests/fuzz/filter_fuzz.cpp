#include <boost/json.hpp>

#include "hub/consul/filter.hpp"
#include "hub/consul/filter_fields.hpp"
#include "hub/consul/filter_grammar.hpp"
#include "tests/fuzz/fuzz.hpp"

// An input is a filter expression. What can be parsed and bound matches a row or not, and its negation the other way
// round; every error says where or what.

namespace flotilla::hub::consul {
namespace {

using fuzz::require;

const boost::json::value& row() {
    static const boost::json::value row = boost::json::parse(R"({
        "Node": {"Node": "n", "Meta": {"k": "v"}},
        "Service": {"ID": "web-1", "Service": "web", "Tags": ["a", "b"], "Port": 80, "Meta": {"a b": "c"},
                    "EnableTagOverride": true, "TaggedAddresses": {"wan": {"Address": "1.2.3.4", "Port": 1}}},
        "Checks": [{"Status": "passing"}, {"Status": "warning"}]})");
    return row;
}

void check_expression(const std::string& expression) {
    const auto filter = Filter::parse(expression, health_fields());
    if (!filter) {
        require(!filter.error().message().empty(), "an error without words");
        return;
    }
    const bool matches = filter->matches(row());
    const auto negated = Filter::parse("not (" + expression + ")", health_fields());
    // Nested one deeper, longer than allowed: nothing else may be wrong with it.
    require(negated || !parse_filter_syntax("not (" + expression + ")"), "a negation means something else");
    if (negated) require(negated->matches(row()) != matches, "neither it nor its negation matches");
}

} // namespace
} // namespace flotilla::hub::consul

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    flotilla::hub::consul::check_expression(std::string(flotilla::fuzz::text_of(data, size)));
    return 0;
}
