#include "hub/consul/filter.hpp"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <re2/re2.h>

#include "hub/consul/filter_grammar.hpp"
#include "hub/consul/go_text.hpp"
#include "hub/consul/json_fields.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;
using Kind = FilterField::Kind;

// A pattern is compiled once per request: what it may take bounds what a request costs.
constexpr std::size_t kPatternBytesMax = 1024;
constexpr std::size_t kPatternsMax = 16;
constexpr std::int64_t kPatternMemoryMax = 1024 * 1024;

using Pattern = std::unique_ptr<re2::RE2>;

Error invalid(std::string message) { return {flotilla::Kind::invalid, std::move(message)}; }

const FilterField* find_field(std::span<const FilterField> fields, std::string_view name) {
    const FilterField* any = nullptr;
    for (const auto& field : fields) {
        if (field.name == name) return &field;
        if (field.name.empty()) any = &field;
    }
    return any;
}

bool allows(Kind kind, MatchOperator op) {
    const bool compares = op == MatchOperator::equal || op == MatchOperator::not_equal;
    const bool contains = op == MatchOperator::in || op == MatchOperator::not_in;
    const bool empties = op == MatchOperator::is_empty || op == MatchOperator::is_not_empty;
    switch (kind) {
    case Kind::text:
        return !empties;
    case Kind::number:
    case Kind::flag:
        return compares;
    case Kind::texts:
    case Kind::map:
        return contains || empties;
    case Kind::objects:
        return empties;
    case Kind::object:
        return false;
    }
    return false;
}

/// Go's words for what RE2 found, which names some of it otherwise.
std::string_view go_name(re2::RE2::ErrorCode code) {
    using RE2 = re2::RE2;
    switch (code) {
    case RE2::ErrorBadEscape:
        return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
        return "invalid character class";
    case RE2::ErrorBadCharRange:
        return "invalid character class range";
    case RE2::ErrorMissingBracket:
        return "missing closing ]";
    case RE2::ErrorMissingParen:
        return "missing closing )";
    case RE2::ErrorUnexpectedParen:
        return "unexpected )";
    case RE2::ErrorTrailingBackslash:
        return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
        return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
        return "invalid repeat count";
    case RE2::ErrorRepeatOp:
        return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
        return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
        return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
        return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
        return "expression too large";
    default:
        return "internal error";
    }
}

/// RE2 knows no backtracking: a hostile pattern takes linear time and bounded memory.
Result<Pattern> compile(const std::string& text) {
    if (text.size() > kPatternBytesMax)
        return invalid(fmt::format("the regular expression has {} bytes, more than {}", text.size(), kPatternBytesMax));
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(kPatternMemoryMax);
    auto pattern = std::make_unique<re2::RE2>(text, options);
    if (pattern->ok()) return pattern;
    // An expression that ends too early is shown whole; else the part that is wrong.
    const auto part = pattern->error_code() == re2::RE2::ErrorMissingParen ? text : pattern->error_arg();
    return invalid(fmt::format("Failed to compile regular expression {}: error parsing regexp: {}: `{}`",
                               go_quoted(text), go_name(pattern->error_code()), part));
}

/// A comparison whose selector and value have been checked.
struct Match {
    std::vector<std::string> selector;
    std::vector<const FilterField*> path; ///< the field of each part
    MatchOperator op = MatchOperator::equal;
    std::variant<std::monostate, std::string, std::int64_t, bool, Pattern> value;
};

std::string_view text_of(const bj::value* value) {
    const auto* text = value ? value->if_string() : nullptr;
    return text ? view(*text) : std::string_view();
}

std::int64_t number_of(const bj::value* value) {
    if (!value || !value->is_number()) return 0;
    boost::system::error_code failed;
    const auto number = value->to_number<std::int64_t>(failed);
    return failed ? 0 : number;
}

bool is_empty(const bj::value* value) {
    if (!value) return true;
    if (const auto* list = value->if_array()) return list->empty();
    if (const auto* map = value->if_object()) return map->empty();
    return true;
}

bool equals(const Match& match, const bj::value* value) {
    if (const auto* number = std::get_if<std::int64_t>(&match.value)) return number_of(value) == *number;
    if (const auto* flag = std::get_if<bool>(&match.value))
        return (value && value->if_bool() && *value->if_bool()) == *flag;
    return text_of(value) == std::get<std::string>(match.value);
}

bool contains(const Match& match, const bj::value* value) {
    const auto& wanted = std::get<std::string>(match.value);
    if (match.path.back()->kind == Kind::text) return text_of(value).contains(wanted);
    if (!value) return false;
    if (const auto* map = value->if_object()) return map->contains(wanted);
    const auto* list = value->if_array();
    return list && std::ranges::any_of(*list, [&](const bj::value& each) { return text_of(&each) == wanted; });
}

bool compare(const Match& match, const bj::value* value) {
    switch (match.op) {
    case MatchOperator::equal:
        return equals(match, value);
    case MatchOperator::not_equal:
        return !equals(match, value);
    case MatchOperator::in:
        return contains(match, value);
    case MatchOperator::not_in:
        return !contains(match, value);
    case MatchOperator::is_empty:
        return is_empty(value);
    case MatchOperator::is_not_empty:
        return !is_empty(value);
    case MatchOperator::matches:
    case MatchOperator::not_matches:
        break;
    }
    const auto text = text_of(value);
    const auto& pattern = *std::get<Pattern>(match.value);
    return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern) ==
           (match.op == MatchOperator::matches);
}

/// What go-bexpr 0.1.2 says of a name that a map has not; that "matches" holds there is its word, not ours.
bool holds_without_value(MatchOperator op) {
    return op != MatchOperator::equal && op != MatchOperator::is_not_empty && op != MatchOperator::in;
}

/// `depth` parts of the selector led to `value`.
bool holds(const Match& match, const bj::value* value, std::size_t depth) {
    if (depth == match.path.size()) return compare(match, value);
    const auto container = depth == 0 ? Kind::object : match.path[depth - 1]->kind;
    const auto& part = match.selector[depth];
    if (container == Kind::objects) {
        const auto* list = value ? value->if_array() : nullptr;
        return list && std::ranges::any_of(*list, [&](const bj::value& each) {
                   const auto* item = each.if_object();
                   return holds(match, item ? item->if_contains(part) : nullptr, depth + 1);
               });
    }
    const auto* object = value ? value->if_object() : nullptr;
    const auto* member = object ? object->if_contains(part) : nullptr;
    if (container == Kind::map && !member) return holds_without_value(match.op);
    return holds(match, member, depth + 1);
}

} // namespace

struct Filter::Node {
    FilterSyntax::Kind kind = FilterSyntax::Kind::match;
    Match match;
    std::vector<Node> operands;

    bool holds(const bj::value& row) const {
        const auto each_holds = [&row](const Node& node) { return node.holds(row); };
        switch (kind) {
        case FilterSyntax::Kind::match:
            return consul::holds(match, &row, 0);
        case FilterSyntax::Kind::not_:
            return !operands.front().holds(row);
        case FilterSyntax::Kind::all:
            return std::ranges::all_of(operands, each_holds);
        case FilterSyntax::Kind::any:
            return std::ranges::any_of(operands, each_holds);
        }
        return false;
    }
};

namespace {

Result<void> bind_value(const FilterMatch& syntax, Match& match, std::size_t& patterns) {
    const auto selector = go_quoted(fmt::format("{}", fmt::join(syntax.selector, ".")));
    const auto refused = [&](const Error& error) {
        return invalid(fmt::format("Failed to coerce value {} for selector {}: {}", go_quoted(syntax.value), selector,
                                   error.message()));
    };
    const auto kind = match.path.back()->kind;
    if (kind == Kind::number) {
        const auto number = parse_go_int(syntax.value);
        if (!number) return refused(number.error());
        match.value = *number;
    } else if (kind == Kind::flag) {
        const auto flag = parse_go_bool(syntax.value);
        if (!flag) return refused(flag.error());
        match.value = *flag;
    } else if (match.op == MatchOperator::matches || match.op == MatchOperator::not_matches) {
        if (++patterns > kPatternsMax) return invalid(fmt::format("more than {} regular expressions", kPatternsMax));
        auto pattern = compile(syntax.value);
        if (!pattern) return std::move(pattern.error());
        match.value = std::move(*pattern);
    } else {
        match.value = syntax.value;
    }
    return {};
}

Result<Match> bind(const FilterMatch& syntax, std::span<const FilterField> fields, std::size_t& patterns) {
    Match match;
    match.op = syntax.op;
    match.selector = syntax.selector;
    for (std::size_t i = 0; i < syntax.selector.size(); ++i) {
        const auto* field = find_field(fields, syntax.selector[i]);
        if (!field) {
            const std::span parts(syntax.selector.data(), i + 1);
            return invalid(
                fmt::format("Selector {} is not valid", go_quoted(fmt::format("{}", fmt::join(parts, ".")))));
        }
        match.path.push_back(field);
        fields = field->members;
    }
    if (!allows(match.path.back()->kind, syntax.op)) {
        return invalid(fmt::format("Invalid match operator {} for selector {}", go_quoted(name(syntax.op)),
                                   go_quoted(fmt::format("{}", fmt::join(syntax.selector, ".")))));
    }
    if (auto bound = bind_value(syntax, match, patterns); !bound) return std::move(bound.error());
    return match;
}

} // namespace

Filter::Filter(std::unique_ptr<const Node> root) : root_(std::move(root)) {}
Filter::Filter(Filter&&) noexcept = default;
Filter& Filter::operator=(Filter&&) noexcept = default;
Filter::~Filter() = default;

Result<Filter> Filter::parse(std::string_view expression, std::span<const FilterField> fields) {
    constexpr std::string_view kFailed = "Failed to create boolean expression evaluator";
    auto syntax = parse_filter_syntax(expression);
    if (!syntax) return std::move(syntax.error()).with_context(kFailed);
    std::size_t patterns = 0;
    const auto bind_node = [&](const auto& self, const FilterSyntax& from, Node& into) -> Result<void> {
        into.kind = from.kind;
        if (from.kind == FilterSyntax::Kind::match) {
            auto match = bind(from.match, fields, patterns);
            if (!match) return std::move(match.error());
            into.match = std::move(*match);
        }
        into.operands.resize(from.operands.size());
        for (std::size_t i = 0; i < from.operands.size(); ++i) {
            if (auto done = self(self, from.operands[i], into.operands[i]); !done) return done;
        }
        return {};
    };
    auto root = std::make_unique<Node>();
    if (auto done = bind_node(bind_node, *syntax, *root); !done) return std::move(done.error()).with_context(kFailed);
    return Filter(std::move(root));
}

bool Filter::matches(const boost::json::value& row) const { return root_->holds(row); }

} // namespace flotilla::hub::consul
