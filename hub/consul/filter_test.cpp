#include "hub/consul/filter.hpp"

#include "hub/consul/filter_fields.hpp"
#include "hub/consul/stores_bench.hpp"

namespace flotilla::hub::consul::filter_test {
namespace {

namespace bj = boost::json;

const bj::value& row() {
    static const bj::value row = bj::parse(R"({
        "Node": {"Node": "flotilla", "Address": "127.0.0.1", "Meta": {"rack": "r1", "": "nameless"}},
        "Service": {"ID": "web-1", "Service": "web", "Tags": ["a", "b"], "Address": "10.0.0.1", "Port": 8081,
                    "Meta": {"a b": "c", "version": "2.10", "empty": ""}, "EnableTagOverride": true,
                    "Weights": {"Passing": 3, "Warning": 0},
                    "TaggedAddresses": {"wan": {"Address": "1.2.3.4", "Port": 80}}},
        "Checks": [{"Status": "passing", "Name": "alive"}, {"Status": "warning", "Name": "disk"}]})");
    return row;
}

/// "true", "false", or the error without what every error begins with.
std::string outcome(std::string_view expression, std::span<const FilterField> fields = health_fields()) {
    const auto filter = Filter::parse(expression, fields);
    if (filter) return filter->matches(row()) ? "true" : "false";
    constexpr std::string_view kFailed = "Failed to create boolean expression evaluator: ";
    EXPECT_TRUE(filter.error().message().starts_with(kFailed)) << filter.error().message();
    return filter.error().message().substr(kFailed.size());
}

// Goal: every operator of the language, on every kind of field that takes it, says what Consul says.
TEST(ConsulFilter, OperatorsCompare) {
    for (const auto* holds : {
             R"(Service.Port == 8081)",
             R"(Service.Port=="0x1f91")",
             "Service.Port != 80",
             "Service.Service == web",
             R"(Service.Service == "web")",
             "Service.Service == `web`",
             "not Service.Service == api",
             "Service.Address != \"10.0.0.2\"",
             "Service.EnableTagOverride == true",
             "Service.EnableTagOverride != F",
             "a in Service.Tags",
             R"("b" in Service.Tags)",
             "c not in Service.Tags",
             "Service.Tags contains a",
             "Service.Tags not contains z",
             "Service.Tags is not empty",
             "Service.Meta contains version",
             "version in Service.Meta",
             "Service.Meta[\"a b\"] == c",
             "Service.Meta[ `a b` ] != d",
             "Service.Meta.version matches `^2\\.[0-9]+$`",
             "Service.Meta.version not matches `^3`",
             "Service.Service contains eb",
             "eb in Service.Service",
             "Service.Kind == \"\"",
             "Service.TaggedAddresses.wan.Port == 80",
             "Service.Weights.Passing == 3",
             "Checks is not empty",
             "Node.Meta.rack == r1",
             "Node.Meta[\"\"] == nameless",
             "Service.Proxy.Upstreams is empty",
         }) {
        EXPECT_EQ(outcome(holds), "true") << holds;
        EXPECT_EQ(outcome("not (" + std::string(holds) + ")"), "false") << holds;
    }
}

// Goal: a name that a map has not is nothing: not equal, not in, empty; a list of objects compares with any of them.
TEST(ConsulFilter, AbsentNamesAndListsOfObjects) {
    EXPECT_EQ(outcome("Service.Meta.none == x"), "false");
    EXPECT_EQ(outcome("Service.Meta.none != x"), "true");
    EXPECT_EQ(outcome("x in Service.Meta.none"), "false");
    EXPECT_EQ(outcome("x not in Service.Meta.none"), "true");
    EXPECT_EQ(outcome("Service.TaggedAddresses.lan.Port == 0"), "false");
    EXPECT_EQ(outcome("Checks.Status == warning"), "true");
    EXPECT_EQ(outcome("Checks.Status == critical"), "false");
    EXPECT_EQ(outcome("not Checks.Status != passing"), "false");               // only passing checks
    EXPECT_EQ(outcome("Service.Proxy.Upstreams.LocalBindPort != 1"), "false"); // no upstream at all
}

// Goal: not before and before or, unless parentheses say otherwise; words need space, symbols do not.
TEST(ConsulFilter, PrecedenceAndSpace) {
    EXPECT_EQ(outcome("a in Service.Tags or b in Service.Tags and Service.Port==1"), "true");
    EXPECT_EQ(outcome("(a in Service.Tags or b in Service.Tags) and Service.Port==1"), "false");
    EXPECT_EQ(outcome("not a in Service.Tags or Service.Port == 8081"), "true");
    EXPECT_EQ(outcome("not (a in Service.Tags or Service.Port == 8081)"), "false");
    EXPECT_EQ(outcome("not not a in Service.Tags"), "true");
    EXPECT_EQ(outcome("\t\r\n ( \n Service.Port\n==\n8081 ) \n"), "true");
    EXPECT_EQ(outcome("(a in Service.Tags) and (b in Service.Tags)"), "true");
    EXPECT_EQ(outcome("not in Service.Tags"), "false"); // "not" is a value here
}

// Goal: what go-bexpr answers to an expression it cannot read, word for word.
TEST(ConsulFilter, SyntaxErrorsReadAsConsuls) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kErrors{{
        {"bogus==", R"(1:8 (7): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z])"},
        {"foo == \"12x", R"(1:12 (11): rule "string": Unterminated string literal)"},
        {"foo == `12x", R"(1:12 (11): rule "string": Unterminated string literal)"},
        {"foo == 3x", R"(1:9 (8): rule "number": Invalid number literal)"},
        {"foo[3] == abc", R"(1:5 (4): rule "index": Invalid index)"},
        {"x in foo[\"abc\"", R"(1:15 (14): rule "index": Unclosed index expression)"},
        {"foo[\"abc\" == 3", R"(1:11 (10): rule "index": Unclosed index expression)"},
        {"x in 32", R"(1:6 (5): rule "match": Invalid selector)"},
        {"32 == 32", R"(1:4 (3): no match found, expected: "in", "not" or [ \t\r\n])"},
        {"32 is empty", R"(1:4 (3): no match found, expected: "in", "not" or [ \t\r\n])"},
        {"x in foo abc", R"(1:10 (9): no match found, expected: "and", "or", [ \t\r\n] or EOF)"},
        {"x in foo and ",
         R"(1:14 (13): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z])"},
        {"x in foo or not ",
         R"(1:17 (16): no match found, expected: "!=", "(", "-", "0", "==", "\"", "`", "contains", "in", "is", )"
         R"("matches", "not", [ \t\r\n], [1-9] or [a-zA-Z])"},
        {"(foo == 4", R"(1:10 (9): rule "grouping": Unmatched parentheses)"},
    }};
    for (const auto& [expression, error] : kErrors)
        EXPECT_EQ(outcome(expression), error) << expression;
    EXPECT_EQ(outcome(R"(Service.ID == "a\q")"), R"(1:15 (14): rule "string": invalid syntax)");
    EXPECT_EQ(outcome("é"),
              R"(1:1 (0): no match found, expected: "(", "-", "0", "\"", "`", "not", [ \t\r\n], [1-9] or [a-zA-Z])");
}

// Goal: an unknown selector, an operator that does not fit and a value of another type are errors, not "no match".
TEST(ConsulFilter, MeaninglessExpressionsAreRefused) {
    EXPECT_EQ(outcome("Bogus == 1"), R"(Selector "Bogus" is not valid)");
    EXPECT_EQ(outcome("Service.Bogus == 1"), R"(Selector "Service.Bogus" is not valid)");
    EXPECT_EQ(outcome("Service.Port.x == 1"), R"(Selector "Service.Port.x" is not valid)");
    EXPECT_EQ(outcome("Service.CreateIndex == 1"), R"(Selector "Service.CreateIndex" is not valid)");
    EXPECT_EQ(outcome("Service == web"), R"(Invalid match operator "Equal" for selector "Service")");
    EXPECT_EQ(outcome("Service.Port is empty"), R"(Invalid match operator "Is Empty" for selector "Service.Port")");
    EXPECT_EQ(outcome("Service.ID is not empty"), R"(Invalid match operator "Is Not Empty" for selector "Service.ID")");
    EXPECT_EQ(outcome("Service.Tags == a"), R"(Invalid match operator "Equal" for selector "Service.Tags")");
    EXPECT_EQ(outcome("Service.Port == web"), R"(Failed to coerce value "web" for selector "Service.Port": )"
                                              R"(strconv.ParseInt: parsing "web": invalid syntax)");
    EXPECT_EQ(outcome("Service.Port == 9223372036854775808"),
              R"(Failed to coerce value "9223372036854775808" for selector "Service.Port": )"
              R"(strconv.ParseInt: parsing "9223372036854775808": value out of range)");
    EXPECT_EQ(outcome("Service.EnableTagOverride == yes"),
              R"(Failed to coerce value "yes" for selector "Service.EnableTagOverride": )"
              R"(strconv.ParseBool: parsing "yes": invalid syntax)");
    EXPECT_EQ(outcome("Service.ID matches \"(\""),
              "Failed to compile regular expression \"(\": error parsing regexp: missing closing ): `(`");
    EXPECT_EQ(outcome("Service.ID matches `a(?=b)`"), "Failed to compile regular expression \"a(?=b)\": error parsing "
                                                      "regexp: invalid or unsupported Perl syntax: `(?=`");
    EXPECT_EQ(outcome("ServiceID == web-1", catalog_service_fields()),
              R"(1:17 (16): no match found, expected: ".", "[", [ \t\r\n], [a-zA-Z0-9_] or EOF)");
}

// Goal: a hostile expression costs little: bounded in length, depth and patterns, without backtracking anywhere.
TEST(ConsulFilter, HostileExpressionsAreBounded) {
    const auto repeated = [](std::string_view text, std::size_t times) {
        std::string result;
        for (std::size_t i = 0; i < times; ++i)
            result += text;
        return result;
    };
    EXPECT_EQ(outcome(repeated("(", 8192)), "the expression is nested deeper than 64");
    EXPECT_EQ(outcome(repeated("not ", 2000) + "a in Service.Tags"), "the expression is nested deeper than 64");
    EXPECT_EQ(outcome(repeated("(", 40) + "a in Service.Tags" + repeated(")", 40)), "true");
    EXPECT_TRUE(
        outcome(repeated("(", 60) + "a in Service.Tags" + repeated(")", 59)).ends_with("Unmatched parentheses"));
    EXPECT_EQ(outcome(repeated("a", 8193)), "the expression has 8193 bytes, more than 8192");
    EXPECT_EQ(outcome(repeated("a in Service.Tags and ", 300) + "b in Service.Tags"), "true");
    EXPECT_EQ(outcome(repeated("Service.ID matches a and ", 16) + "Service.ID matches a"),
              "more than 16 regular expressions");
    EXPECT_EQ(outcome("Service.ID matches `" + repeated("a", 1025) + "`"),
              "the regular expression has 1025 bytes, more than 1024");
    // Exponential for an engine that backtracks.
    bj::value long_id = row();
    long_id.at("Service").at("ID") = repeated("a", 10'000) + "!";
    const auto filter = Filter::parse("Service.ID matches `^(a|aa)+$`", health_fields());
    ASSERT_TRUE(filter);
    EXPECT_FALSE(filter->matches(long_id));
}

std::size_t rows_in(const bj::value& answer) {
    return answer.is_array() ? answer.as_array().size() : answer.as_object().size();
}

// Goal: every endpoint that Consul filters keeps what the expression says of its own rows, and nothing else; an
// expression about other rows is Consul's 500.
TEST(ConsulFilter, EveryEndpointHasItsSelectors) {
    StoresBench bench;
    for (const auto* body :
         {R"({"ID":"web-1","Name":"web","Port":8081,"Tags":["a"],"Check":{"TTL":"9s","Status":"passing"}})",
          R"({"ID":"web-2","Name":"web","Port":8082,"Check":{"TTL":"9s"}})", R"({"Name":"api"})"})
        ASSERT_EQ(bench.put("/v1/agent/service/register", body).status, 200);
    struct Case {
        std::string_view target;
        std::string_view some; ///< an expression that holds for some rows
        std::size_t kept;
    };
    constexpr Case kCases[] = {
        {"/v1/agent/services", "Service==web", 2},
        {"/v1/agent/services", "a+in+Tags+or+Port==8082", 2},
        {"/v1/agent/checks", "Status==passing", 1},
        {"/v1/agent/members", "Name+!=+flotilla", 0},
        {"/v1/catalog/nodes", "Node==x", 0},
        {"/v1/catalog/services", "ServiceName==web", 1},
        {"/v1/catalog/services", "ServicePort+!=+8081+and+ServicePort+!=+0", 1},
        {"/v1/catalog/service/web", "ServicePort==8081", 1},
        {"/v1/catalog/service/web", "ServiceTags+is+empty", 1},
        {"/v1/health/service/web", "Service.Port==8081", 1},
        {"/v1/health/service/web", "not+Checks.Status+!=+passing", 1},
        {"/v1/health/service/web", "%22web%22+in+Service.Tags", 0},
        {"/v1/health/checks/web", "Status==passing", 1},
        {"/v1/health/node/flotilla", "ServiceName==web", 2},
        {"/v1/health/state/any", "CheckID==serfHealth", 1},
    };
    for (const auto& [target, some, kept] : kCases) {
        const auto where = std::string(target) + "?filter=";
        EXPECT_EQ(rows_in(bench.json(where + std::string(some))), kept) << where << some;
        EXPECT_EQ(bench.get(where).body, bench.get(target).body) << "an empty filter is none";
        const auto refused = bench.get(where + "Bogus+is+empty");
        EXPECT_EQ(refused.status, 500) << target;
        EXPECT_EQ(refused.body, "Failed to create boolean expression evaluator: Selector \"Bogus\" is not valid")
            << target;
    }
    for (const auto* target : {"/v1/catalog/node/flotilla", "/v1/catalog/node-services/flotilla"})
        EXPECT_EQ(rows_in(bench.json(std::string(target) + "?filter=Port==8081").at("Services")), 1u) << target;
    for (const auto* target : {"/v1/kv/a", "/v1/session/list", "/v1/agent/self"})
        EXPECT_EQ(bench.get(std::string(target) + "?filter=Port==8081").status, 400) << target;
}

// Goal: a blocking query waits for a change of what it asks about, whatever its filter keeps of it.
TEST(ConsulFilter, BlockingQueryWakesOnIndexAlone) {
    StoresBench bench;
    bench.put("/v1/agent/service/register", R"({"Name":"web","Port":1})");
    const std::string target = "/v1/health/service/web?filter=Service.Port==2";
    const auto before = bench.get(target);
    EXPECT_EQ(before.body, "[]");
    const auto waiting = target + "&wait=1m&index=" + std::to_string(before.index);
    EXPECT_TRUE(bench.get(waiting).pending);
    bench.put("/v1/agent/service/register", R"({"Name":"other"})");
    EXPECT_TRUE(bench.get(waiting).pending);
    bench.put("/v1/agent/service/register", R"({"Name":"web","Port":3})");
    const auto after = bench.get(waiting);
    EXPECT_FALSE(after.pending);
    EXPECT_EQ(after.body, "[]");
    EXPECT_GT(after.index, before.index);
}

} // namespace
} // namespace flotilla::hub::consul::filter_test
