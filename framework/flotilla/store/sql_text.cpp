#include <flotilla/store/sql_text.hpp>

#include <algorithm>
#include <array>

#include <flotilla/base/ascii.hpp>

namespace flotilla::sql {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Where the quoted text or comment that starts at `at` ends; `at` itself when none starts there.
std::size_t skip_quoted(std::string_view text, std::size_t at) {
    const char c = text[at];
    const auto end_after = [&](std::string_view closing, std::size_t from) {
        const auto end = text.find(closing, from);
        return end == std::string_view::npos ? text.size() : end + closing.size();
    };
    // A doubled quote inside quoted text closes it and opens the next piece at once, which gives the same end.
    if (c == '\'' || c == '"') return end_after(text.substr(at, 1), at + 1);
    if (text.substr(at, 2) == "--") return end_after("\n", at + 2);
    if (text.substr(at, 2) == "/*") return end_after("*/", at + 2);
    return at;
}

/// The text from its first character that is neither blank nor comment.
std::string_view skip_comments(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (is_space(text[at])) {
            ++at;
            continue;
        }
        if (text[at] == '\'' || text[at] == '"') break;
        const auto end = skip_quoted(text, at);
        if (end == at) break;
        at = end;
    }
    return text.substr(at);
}

/// Only blanks, then a line's or the text's end, or a comment up to it.
bool ends_line(std::string_view text, std::size_t at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r'))
        ++at;
    return at == text.size() || text[at] == '\n' || text.substr(at, 2) == "--";
}

/// The keyword it begins with, in capitals.
std::string first_word(std::string_view text) {
    std::string word;
    for (const char c : skip_comments(text)) {
        if (!is_ascii_upper(ascii_upper(c))) break;
        word += ascii_upper(c);
    }
    return word;
}

constexpr std::string_view kKeyType = "BIGINT";

/// Takes a keyword and the blanks behind it off the text, when it begins with that.
bool take_word(std::string_view& text, std::string_view word) {
    const auto found = text.substr(0, word.size());
    if (!equal_ignoring_case(found, word)) return false;
    const auto end = std::ranges::find_if_not(text.substr(word.size()), is_space);
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
    return true;
}

/// Whether a column's type may stand behind that.
bool follows_name(std::string_view text) {
    const auto end = text.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos || end + 1 == text.size()) return false;
    const char last = ascii_upper(text[end]);
    return is_ascii_upper(last) || is_digit(last) || last == '_' || last == '"';
}

/// The type of a column that is the primary key alone.
bool is_key_type(std::string_view text) {
    if (!take_word(text, kKeyType)) return false;
    if (take_word(text, "NOT") && !take_word(text, "NULL")) return false;
    return take_word(text, "PRIMARY") && take_word(text, "KEY");
}

} // namespace

std::string for_sqlite(std::string_view text) {
    const bool creates = first_word(text) == "CREATE";
    std::string translated;
    translated.reserve(text.size());
    std::size_t at = 0;
    while (at < text.size()) {
        if (const auto end = skip_quoted(text, at); end != at) {
            translated += text.substr(at, end - at);
            at = end;
            continue;
        }
        if (creates && follows_name(translated) && is_key_type(text.substr(at))) {
            translated += "INTEGER";
            at += kKeyType.size();
            continue;
        }
        const bool parameter = text[at] == '$' && at + 1 < text.size() && is_digit(text[at + 1]);
        translated += parameter ? '?' : text[at];
        ++at;
    }
    return translated;
}

std::vector<std::string_view> split_statements(std::string_view script) {
    std::vector<std::string_view> statements;
    std::size_t start = 0;
    std::size_t at = 0;
    const auto add = [&](std::size_t end) {
        const auto statement = skip_comments(script.substr(start, end - start));
        if (!statement.empty() && statement != ";") statements.push_back(statement);
        start = end;
    };
    while (at < script.size()) {
        const auto end = skip_quoted(script, at);
        if (end != at) {
            at = end;
            continue;
        }
        ++at;
        if (script[at - 1] == ';' && ends_line(script, at)) add(at);
    }
    add(script.size());
    return statements;
}

bool changes_rows(std::string_view text) {
    static constexpr std::array<std::string_view, 5> kRowStatements{"INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"};
    return std::ranges::find(kRowStatements, first_word(text)) != kRowStatements.end();
}

Result<void> check_allowed(std::string_view text) {
    static constexpr std::array<std::string_view, 10> kRefused{"BEGIN",   "COMMIT", "END",    "ROLLBACK", "SAVEPOINT",
                                                               "RELEASE", "PRAGMA", "ATTACH", "DETACH",   "VACUUM"};
    const auto word = first_word(text);
    if (std::ranges::find(kRefused, word) == kRefused.end()) return {};
    return Error(Kind::internal, word + " belongs to the database driver: " + shortened(text));
}

std::string shortened(std::string_view text, std::size_t length_max) {
    std::string line;
    for (const char c : text) {
        const char printed = is_space(c) ? ' ' : c;
        if (printed == ' ' && (line.empty() || line.back() == ' ')) continue;
        line += printed;
    }
    if (line.size() <= length_max) return line;
    line.resize(length_max);
    return line + "...";
}

} // namespace flotilla::sql
