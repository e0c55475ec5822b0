#include "hub/consul/filter_grammar.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "hub/consul/go_text.hpp"

namespace flotilla::hub::consul {
namespace {

constexpr std::size_t kBytesMax = 8192;
constexpr std::size_t kDepthMax = 64;

constexpr std::string_view kSpaces = "[ \\t\\r\\n]";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Where an offset is, as Consul's parser counts it: a line break belongs to the line it begins, at column 0.
std::string position(std::string_view text, std::size_t offset) {
    std::size_t line = 1;
    std::size_t column = 0;
    for (std::size_t i = 0; i <= offset; ++i) {
        if (i < text.size() && text[i] == '\n') {
            ++line;
            column = 0;
        } else if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
            ++column;
        }
    }
    return fmt::format("{}:{} ({})", line, column, offset);
}

/// What was tried in vain at the farthest offset: what an error says was expected there.
class Expectations {
public:
    void failed(std::size_t offset, std::string_view wanted) {
        if (offset < offset_) return;
        if (offset > offset_) wanted_.clear();
        offset_ = offset;
        if (std::ranges::find(wanted_, wanted) == wanted_.end()) wanted_.push_back(wanted);
    }
    std::string text(std::string_view expression) const {
        auto wanted = wanted_;
        // The end of the text comes last, whatever its name.
        std::ranges::sort(wanted, [](auto a, auto b) { return std::pair(a == kEnd, a) < std::pair(b == kEnd, b); });
        std::string list;
        for (std::size_t i = 0; i < wanted.size(); ++i)
            list += (i == 0 ? "" : i + 1 == wanted.size() ? " or " : ", ") + std::string(wanted[i]);
        return position(expression, offset_) + ": no match found, expected: " + list;
    }
    static constexpr std::string_view kEnd = "EOF";

private:
    std::size_t offset_ = 0;
    std::vector<std::string_view> wanted_;
};

/// Recursive descent over go-bexpr's grammar, each function one of its rules: true when it matched and moved on, false
/// with the offset where it was. Rules that it would parse again with another ending are parsed once.
class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<FilterSyntax> run() {
        FilterSyntax syntax;
        const bool matched = in_parentheses(syntax) || whole(syntax);
        if (too_deep_) return Error(Kind::invalid, fmt::format("the expression is nested deeper than {}", kDepthMax));
        if (!errors_.empty()) return Error(Kind::invalid, fmt::format("{}", fmt::join(errors_, "\n")));
        if (!matched) return Error(Kind::invalid, expectations_.text(text_));
        return syntax;
    }

private:
    // Tokens ------------------------------------------------------------------------------------------------------

    bool literal(std::string_view wanted, std::string_view quoted) {
        if (text_.substr(at_).starts_with(wanted)) {
            at_ += wanted.size();
            return true;
        }
        expectations_.failed(at_, quoted);
        return false;
    }
    template <class Predicate>
    bool one_of(Predicate predicate, std::string_view class_name) {
        if (at_ < text_.size() && predicate(text_[at_])) {
            ++at_;
            return true;
        }
        expectations_.failed(at_, class_name);
        return false;
    }
    bool spaces() {
        if (!one_of(is_space, kSpaces)) return false;
        while (one_of(is_space, kSpaces)) {
        }
        return true;
    }
    void optional_spaces() { (void)spaces(); }
    bool end() {
        if (at_ == text_.size()) return true;
        expectations_.failed(at_, Expectations::kEnd);
        return false;
    }
    bool back_to(std::size_t offset) {
        at_ = offset;
        return false;
    }
    bool error(std::size_t offset, std::string_view rule, std::string_view message) {
        auto text = position(text_, offset) + ": rule \"" + std::string(rule) + "\": " + std::string(message);
        if (std::ranges::find(errors_, text) == errors_.end()) errors_.push_back(std::move(text));
        return false;
    }

    // Expressions -------------------------------------------------------------------------------------------------

    bool in_parentheses(FilterSyntax& syntax) {
        optional_spaces();
        if (!literal("(", R"("(")")) return back_to(0);
        optional_spaces();
        if (!any(syntax)) return back_to(0);
        optional_spaces();
        if (!literal(")", "\")\"")) return back_to(0);
        optional_spaces();
        return end() || back_to(0);
    }
    bool whole(FilterSyntax& syntax) {
        optional_spaces();
        if (!any(syntax)) return false;
        optional_spaces();
        return end();
    }

    bool any(FilterSyntax& syntax) { return joined(syntax, FilterSyntax::Kind::any, &Parser::all, "or", R"("or")"); }
    bool all(FilterSyntax& syntax) {
        return joined(syntax, FilterSyntax::Kind::all, &Parser::negated, "and", R"("and")");
    }
    bool joined(FilterSyntax& syntax, FilterSyntax::Kind kind, bool (Parser::*operand)(FilterSyntax&),
                std::string_view word, std::string_view quoted) {
        FilterSyntax first;
        if (!(this->*operand)(first)) return false;
        std::vector<FilterSyntax> operands;
        for (auto begun = at_;; begun = at_) {
            FilterSyntax next;
            if (!spaces() || !literal(word, quoted) || !spaces() || !(this->*operand)(next)) {
                at_ = begun;
                break;
            }
            operands.push_back(std::move(next));
        }
        if (operands.empty()) {
            syntax = std::move(first);
            return true;
        }
        operands.insert(operands.begin(), std::move(first));
        syntax = {kind, {}, std::move(operands)};
        return true;
    }

    bool negated(FilterSyntax& syntax) {
        const Nesting nesting(*this);
        if (too_deep_) return false;
        const auto begun = at_;
        FilterSyntax operand;
        if (literal("not", R"("not")") && spaces() && negated(operand)) {
            syntax = {FilterSyntax::Kind::not_, {}, {}};
            syntax.operands.push_back(std::move(operand));
            return true;
        }
        at_ = begun;
        return grouped(syntax);
    }

    bool grouped(FilterSyntax& syntax) {
        const auto begun = at_;
        if (literal("(", R"("(")")) {
            optional_spaces();
            if (any(syntax)) {
                optional_spaces();
                if (literal(")", "\")\"")) return true;
                error(at_, "grouping", "Unmatched parentheses");
            }
        }
        at_ = begun;
        return match(syntax);
    }

    // Comparisons -------------------------------------------------------------------------------------------------

    bool match(FilterSyntax& syntax) {
        if (too_deep_) return false;
        FilterMatch found;
        if (!selector_op_value(found) && !selector_op(found) && !value_op_selector(found)) return false;
        syntax = {FilterSyntax::Kind::match, std::move(found), {}};
        return true;
    }

    bool selector_op_value(FilterMatch& found) {
        const auto begun = at_;
        if (selector(found.selector) && value_op(found.op) && value(found.value)) return true;
        return back_to(begun);
    }
    bool selector_op(FilterMatch& found) {
        const auto begun = at_;
        found.value.clear();
        if (selector(found.selector) && empty_op(found.op)) return true;
        return back_to(begun);
    }
    bool value_op_selector(FilterMatch& found) {
        const auto begun = at_;
        if (!value(found.value) || !in_op(found.op)) return back_to(begun);
        if (selector(found.selector)) return true;
        error(at_, "match", "Invalid selector");
        return back_to(begun);
    }

    bool value_op(MatchOperator& op) {
        using enum MatchOperator;
        return symbol("==", R"("==")", op, equal) || symbol("!=", R"("!=")", op, not_equal) ||
               words({kContains}, true, op, in) || words({kNot, kContains}, true, op, not_in) ||
               words({kMatches}, true, op, matches) || words({kNot, kMatches}, true, op, not_matches);
    }
    bool empty_op(MatchOperator& op) {
        return words({kIs, kEmpty}, false, op, MatchOperator::is_empty) ||
               words({kIs, kNot, kEmpty}, false, op, MatchOperator::is_not_empty);
    }
    bool in_op(MatchOperator& op) {
        return words({kIn}, true, op, MatchOperator::in) || words({kNot, kIn}, true, op, MatchOperator::not_in);
    }
    bool symbol(std::string_view text, std::string_view quoted, MatchOperator& op, MatchOperator found) {
        const auto begun = at_;
        optional_spaces();
        if (!literal(text, quoted)) return back_to(begun);
        optional_spaces();
        op = found;
        return true;
    }

    struct Word {
        std::string_view text;
        std::string_view quoted;
    };
    static constexpr Word kContains{"contains", R"("contains")"};
    static constexpr Word kMatches{"matches", R"("matches")"};
    static constexpr Word kNot{"not", R"("not")"};
    static constexpr Word kIs{"is", R"("is")"};
    static constexpr Word kEmpty{"empty", R"("empty")"};
    static constexpr Word kIn{"in", R"("in")"};

    /// Words with space before each, and behind the last when `more` follows.
    bool words(std::initializer_list<Word> wanted, bool more, MatchOperator& op, MatchOperator found) {
        const auto begun = at_;
        for (const auto& word : wanted) {
            if (!spaces() || !literal(word.text, word.quoted)) return back_to(begun);
        }
        if (more && !spaces()) return back_to(begun);
        op = found;
        return true;
    }

    // Selectors and values ----------------------------------------------------------------------------------------

    bool selector(std::vector<std::string>& parts) {
        parts.clear();
        std::string part;
        if (!identifier(part)) return false;
        parts.push_back(std::move(part));
        while (member(part) || index(part))
            parts.push_back(std::move(part));
        return true;
    }
    bool identifier(std::string& found) {
        const auto begun = at_;
        if (!one_of(is_letter, "[a-zA-Z]")) return false;
        while (one_of([](char c) { return is_letter(c) || is_digit(c) || c == '_'; }, "[a-zA-Z0-9_]")) {
        }
        found = text_.substr(begun, at_ - begun);
        return true;
    }
    bool member(std::string& found) {
        const auto begun = at_;
        return (literal(".", R"(".")") && identifier(found)) || back_to(begun);
    }
    bool index(std::string& found) {
        const auto begun = at_;
        if (!literal("[", R"("[")")) return false;
        optional_spaces();
        if (!string(found)) {
            error(at_, "index", "Invalid index");
            return back_to(begun);
        }
        optional_spaces();
        if (literal("]", R"("]")")) return true;
        error(at_, "index", "Unclosed index expression");
        return back_to(begun);
    }

    bool value(std::string& found) {
        std::vector<std::string> parts;
        if (selector(parts)) {
            found = fmt::format("{}", fmt::join(parts, "."));
            return true;
        }
        return number(found) || string(found);
    }
    bool number(std::string& found) {
        const auto begun = at_;
        (void)literal("-", R"("-")");
        if (!digits()) return back_to(begun);
        const auto stop = at_;
        if (spaces() || end() || literal(")", "\")\"")) {
            at_ = stop;
            found = text_.substr(begun, stop - begun);
            return true;
        }
        error(stop, "number", "Invalid number literal");
        return back_to(begun);
    }
    bool digits() {
        if (!literal("0", R"("0")")) {
            if (!one_of([](char c) { return c >= '1' && c <= '9'; }, "[1-9]")) return false;
            while (one_of(is_digit, "[0-9]")) {
            }
        }
        const auto fraction = at_;
        if (!literal(".", R"(".")") || !one_of(is_digit, "[0-9]")) {
            at_ = fraction;
            return true;
        }
        while (one_of(is_digit, "[0-9]")) {
        }
        return true;
    }
    bool string(std::string& found) {
        const auto begun = at_;
        const char quote = literal("`", R"("`")") ? '`' : literal("\"", R"("\"")") ? '"' : '\0';
        if (quote == '\0') return false;
        const auto stop = text_.find(quote, at_);
        if (stop == std::string_view::npos) {
            error(text_.size(), "string", "Unterminated string literal");
            return back_to(begun);
        }
        at_ = stop + 1;
        auto text = go_unquoted(text_.substr(begun, at_ - begun));
        if (!text) error(begun, "string", "invalid syntax");
        found = std::move(text).value_or("");
        return true;
    }

    struct Nesting {
        explicit Nesting(Parser& parser) : depth(parser.depth_) { parser.too_deep_ |= ++depth > kDepthMax; }
        ~Nesting() { --depth; }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;
        std::size_t& depth;
    };

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    bool too_deep_ = false;
    Expectations expectations_;
    std::vector<std::string> errors_; ///< what go-bexpr reports although another rule may match
};

} // namespace

std::string_view name(MatchOperator op) {
    switch (op) {
    case MatchOperator::equal:
        return "Equal";
    case MatchOperator::not_equal:
        return "Not Equal";
    case MatchOperator::in:
        return "In";
    case MatchOperator::not_in:
        return "Not In";
    case MatchOperator::is_empty:
        return "Is Empty";
    case MatchOperator::is_not_empty:
        return "Is Not Empty";
    case MatchOperator::matches:
        return "Matches";
    case MatchOperator::not_matches:
        return "Not Matches";
    }
    return "UNKNOWN";
}

Result<FilterSyntax> parse_filter_syntax(std::string_view expression) {
    if (expression.size() > kBytesMax)
        return Error(Kind::invalid,
                     fmt::format("the expression has {} bytes, more than {}", expression.size(), kBytesMax));
    return Parser(expression).run();
}

} // namespace flotilla::hub::consul
