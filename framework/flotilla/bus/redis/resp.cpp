#include <flotilla/bus/redis/resp.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace flotilla::resp {

namespace {

std::optional<std::int64_t> parse_integer(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    std::int64_t value = 0;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

Error protocol_error(std::string_view what) { return Error(Kind::invalid, "Protocol error: " + std::string(what)); }

/// Forgets what was consumed once that is cheap: moving at most as many bytes as were consumed.
void compact(std::string& buffer, std::size_t& begin) {
    if (begin == buffer.size()) {
        buffer.clear();
    } else if (begin >= buffer.size() / 2) {
        buffer.erase(0, begin);
    } else {
        return;
    }
    begin = 0;
}

void append_number(std::string& out, char marker, std::int64_t value) {
    std::array<char, 24> text;
    text[0] = marker;
    char* end = std::to_chars(text.data() + 1, text.data() + text.size(), value).ptr;
    *end++ = '\r';
    *end++ = '\n';
    out.append(text.data(), end);
}

void append_line(std::string& out, char marker, std::string_view text) {
    out += marker;
    for (char c : text)
        out += c == '\r' || c == '\n' ? ' ' : c;
    out += "\r\n";
}

} // namespace

// ---- replies ----

void Parser::feed(std::string_view bytes) {
    compact(buffer_, position_);
    buffer_.append(bytes);
}

Result<std::optional<Value>> Parser::next() {
    std::optional<Value> done;
    while (!done) {
        const std::size_t before = position_;
        auto stepped = step(done);
        if (!stepped) return std::move(stepped.error());
        if (!*stepped) return std::optional<Value>();
        message_bytes_ += position_ - before;
        if (message_bytes_ > limits_.message_bytes_max) return Error(Kind::too_large, "reply over the size limit");
    }
    message_bytes_ = 0;
    return done;
}

/// Consumes one line, and the bytes that belong to it. False when they have not all arrived.
Result<bool> Parser::step(std::optional<Value>& done) {
    if (position_ == buffer_.size()) return false;
    const std::size_t found = buffer_.find("\r\n", position_);
    // A CR that came last may be half of the line's end: it does not count.
    const std::size_t line_end = found != std::string::npos ? found : buffer_.size() - (buffer_.back() == '\r' ? 1 : 0);
    if (line_end - position_ > limits_.line_bytes_max) return Error(Kind::too_large, "reply line over the size limit");
    if (found == std::string::npos) return false;
    const char marker = buffer_[position_];
    const std::string_view line = std::string_view(buffer_).substr(position_ + 1, found - position_ - 1);
    switch (marker) {
    case '$':
    case '!':
    case '=':
        return bulk(marker, line, found + 2, done);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|':
        return open(marker, line, found + 2, done);
    default:
        return line_value(marker, line, found + 2, done);
    }
}

Result<bool> Parser::line_value(char marker, std::string_view line, std::size_t end, std::optional<Value>& done) {
    Value value;
    switch (marker) {
    case '+':
        value.type = Value::Type::simple;
        break;
    case '-':
        value.type = Value::Type::error;
        break;
    case ',':
    case '(':
        value.type = Value::Type::number;
        break;
    case '_':
        if (!line.empty()) return protocol_error("bytes after a null");
        break;
    case '#':
        if (line != "t" && line != "f") return protocol_error("a boolean is t or f");
        value.type = Value::Type::boolean;
        value.integer = line == "t";
        break;
    case ':': {
        const auto number = parse_integer(line);
        if (!number) return protocol_error("invalid integer");
        value.type = Value::Type::integer;
        value.integer = *number;
        break;
    }
    default:
        return protocol_error("unknown type of reply");
    }
    if (value.is_text() || value.is_error() || value.type == Value::Type::number) value.text = line;
    position_ = end;
    close(std::move(value), done);
    return true;
}

Result<bool> Parser::bulk(char marker, std::string_view line, std::size_t end, std::optional<Value>& done) {
    const auto size = parse_integer(line);
    if (!size || *size < -1) return protocol_error("invalid bulk length");
    Value value;
    if (*size == -1) {
        position_ = end;
        close(std::move(value), done);
        return true;
    }
    const auto bytes = static_cast<std::size_t>(*size);
    if (bytes > limits_.bulk_bytes_max) return Error(Kind::too_large, "bulk string over the size limit");
    if (buffer_.size() < end + bytes + 2) {
        buffer_.reserve(end + bytes + 2);
        return false;
    }
    if (buffer_.compare(end + bytes, 2, "\r\n") != 0) return protocol_error("bulk string without its line end");
    value.type = marker == '!' ? Value::Type::error : Value::Type::bulk;
    value.text.assign(buffer_, end, bytes);
    if (marker == '=') {
        if (bytes < 4 || value.text[3] != ':') return protocol_error("verbatim string without a format");
        value.text.erase(0, 4);
    }
    position_ = end + bytes + 2;
    close(std::move(value), done);
    return true;
}

Result<bool> Parser::open(char marker, std::string_view line, std::size_t end, std::optional<Value>& done) {
    const auto size = parse_integer(line);
    if (!size || *size < -1 || (*size == -1 && marker != '*')) return protocol_error("invalid multibulk length");
    Open opened;
    position_ = end;
    if (*size == -1) {
        close(Value{}, done);
        return true;
    }
    const bool pairs = marker == '%' || marker == '|';
    opened.missing = static_cast<std::size_t>(*size);
    if (opened.missing > limits_.items_max) return Error(Kind::too_large, "too many items in a reply");
    if (pairs) opened.missing *= 2;
    opened.attribute = marker == '|';
    opened.value.type = marker == '*'   ? Value::Type::array
                        : marker == '~' ? Value::Type::set
                        : marker == '>' ? Value::Type::push
                                        : Value::Type::map;
    if (opened.missing == 0) {
        if (!opened.attribute) close(std::move(opened.value), done);
        return true;
    }
    if (open_.size() == limits_.depth_max) return Error(Kind::too_large, "reply nested too deeply");
    open_.push_back(std::move(opened));
    return true;
}

/// Puts a finished value where it belongs; aggregates that it completes are finished in turn.
void Parser::close(Value value, std::optional<Value>& done) {
    while (!open_.empty()) {
        Open& outer = open_.back();
        outer.value.items.push_back(std::move(value));
        if (--outer.missing > 0) return;
        value = std::move(outer.value);
        const bool attribute = outer.attribute;
        open_.pop_back();
        if (attribute) return; // says something about the value after it, which is what counts
    }
    done = std::move(value);
}

// ---- commands ----

namespace {

/// Where the line that begins at `at` ends (its CR); nullopt when it has not all arrived. Redis bounds a line only
/// while it is incomplete and does not look at the byte after the CR: then the verdict depends on how the bytes are
/// cut.
Result<std::optional<std::size_t>> find_line_end(std::string_view buffer, std::size_t at, std::size_t bytes_max,
                                                 std::string_view too_long) {
    const std::size_t end = std::min(buffer.find('\r', at), buffer.size());
    if (end - at > bytes_max) return protocol_error(too_long);
    if (end + 1 >= buffer.size()) return std::optional<std::size_t>();
    if (buffer[end + 1] != '\n') return protocol_error("expected LF after CR");
    return std::optional(end);
}

} // namespace

void CommandParser::feed(std::string_view bytes) {
    compact(buffer_, begin_);
    buffer_.append(bytes);
}

Result<std::optional<std::span<const std::string_view>>> CommandParser::next() {
    using Command = std::optional<std::span<const std::string_view>>;
    for (;;) {
        if (begin_ == buffer_.size()) return Command();
        const bool array = arguments_missing_ > 0 || buffer_[begin_] == '*';
        auto whole = array ? array_step() : inline_command();
        if (!whole) return std::move(whole.error());
        if (!*whole) return Command();
        if (!array) {
            if (words_.empty()) continue; // an empty line
            arguments_.assign(words_.begin(), words_.end());
            return Command(arguments_);
        }
        if (pieces_.empty()) continue; // an empty array
        return Command(finish_array());
    }
}

std::span<const std::string_view> CommandParser::finish_array() {
    arguments_.clear();
    for (const Piece& piece : pieces_)
        arguments_.emplace_back(buffer_.data() + begin_ + piece.at, piece.size);
    begin_ += position_;
    position_ = 0;
    pieces_.clear();
    return arguments_;
}

Result<bool> CommandParser::array_step() {
    if (arguments_missing_ == 0) {
        const auto found = find_line_end(buffer_, begin_, limits_.line_bytes_max, "too big mbulk count string");
        if (!found) return found.error();
        if (!*found) return false;
        const std::size_t end = **found;
        const auto count = parse_integer(std::string_view(buffer_).substr(begin_ + 1, end - begin_ - 1));
        if (!count || *count > static_cast<std::int64_t>(limits_.items_max))
            return protocol_error("invalid multibulk length");
        pieces_.clear();
        position_ = end + 2 - begin_;
        if (*count <= 0) {
            begin_ += position_;
            position_ = 0;
            return true;
        }
        arguments_missing_ = static_cast<std::size_t>(*count);
    }
    while (arguments_missing_ > 0) {
        auto taken = argument_step();
        if (!taken || !*taken) return taken;
        --arguments_missing_;
    }
    return true;
}

Result<bool> CommandParser::argument_step() {
    const std::size_t at = begin_ + position_;
    if (at >= buffer_.size()) return false;
    const auto found = find_line_end(buffer_, at, limits_.line_bytes_max, "too big bulk count string");
    if (!found) return found.error();
    if (!*found) return false;
    const std::size_t end = **found;
    if (buffer_[at] != '$') return protocol_error(std::string("expected '$', got '") + buffer_[at] + "'");
    const auto size = parse_integer(std::string_view(buffer_).substr(at + 1, end - at - 1));
    if (!size || *size < 0 || *size > static_cast<std::int64_t>(limits_.bulk_bytes_max)) {
        return protocol_error("invalid bulk length");
    }
    const auto bytes = static_cast<std::size_t>(*size);
    const std::size_t body = end + 2;
    if (body + bytes - begin_ > limits_.message_bytes_max)
        return Error(Kind::too_large, "Protocol error: request too large");
    if (buffer_.size() < body + bytes + 2) {
        buffer_.reserve(body + bytes + 2);
        return false;
    }
    pieces_.push_back({body - begin_, bytes});
    position_ = body + bytes + 2 - begin_;
    return true;
}

Result<bool> CommandParser::inline_command() {
    const std::size_t end = buffer_.find('\n', begin_);
    const std::size_t line_end = std::min(end, buffer_.size());
    if (line_end - begin_ > limits_.line_bytes_max) return protocol_error("too big inline request");
    if (end == std::string::npos) return false;
    std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    auto words = split_words(line);
    if (!words) return protocol_error("unbalanced quotes in request");
    words_ = std::move(*words);
    begin_ = end + 1;
    return true;
}

// ---- inline words ----

namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The character an escape in double quotes stands for; moves `at` to its last character.
char unescape(std::string_view line, std::size_t& at) {
    if (line[at + 1] == 'x' && at + 3 < line.size() && hex_digit(line[at + 2]) >= 0 && hex_digit(line[at + 3]) >= 0) {
        const int value = hex_digit(line[at + 2]) * 16 + hex_digit(line[at + 3]);
        at += 3;
        return static_cast<char>(value);
    }
    const char c = line[++at];
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/// Reads a quoted part that starts at `at`; leaves `at` behind the closing quote. False: unbalanced.
bool quoted(std::string_view line, std::size_t& at, std::string& word) {
    const char quote = line[at++];
    for (; at < line.size(); ++at) {
        if (line[at] == quote) {
            ++at;
            return at == line.size() || is_blank(line[at]); // a closing quote ends the word
        }
        if (line[at] == '\\' && at + 1 < line.size() && (quote == '"' || line[at + 1] == '\'')) {
            word += quote == '"' ? unescape(line, at) : line[++at];
        } else {
            word += line[at];
        }
    }
    return false;
}

} // namespace

std::optional<std::vector<std::string>> split_words(std::string_view line) {
    std::vector<std::string> words;
    std::size_t at = 0;
    for (;;) {
        while (at < line.size() && is_blank(line[at]))
            ++at;
        if (at == line.size()) return words;
        std::string& word = words.emplace_back();
        while (at < line.size() && !is_blank(line[at])) {
            if (line[at] == '"' || line[at] == '\'') {
                if (!quoted(line, at, word)) return std::nullopt;
                break;
            }
            word += line[at++];
        }
    }
}

// ---- writers ----

void write_command(std::string& out, std::span<const std::string_view> arguments) {
    write_array(out, arguments.size());
    for (std::string_view argument : arguments)
        write_bulk(out, argument);
}

void write_command(std::string& out, std::span<const std::string> arguments) {
    write_array(out, arguments.size());
    for (const std::string& argument : arguments)
        write_bulk(out, argument);
}

void write_command(std::string& out, std::initializer_list<std::string_view> arguments) {
    write_command(out, std::span<const std::string_view>(arguments.begin(), arguments.size()));
}

void write_simple(std::string& out, std::string_view text) { append_line(out, '+', text); }
void write_error(std::string& out, std::string_view text) { append_line(out, '-', text); }
void write_integer(std::string& out, std::int64_t value) { append_number(out, ':', value); }

void write_bulk(std::string& out, std::string_view bytes) {
    append_number(out, '$', static_cast<std::int64_t>(bytes.size()));
    out.append(bytes);
    out += "\r\n";
}

void write_null(std::string& out, int protocol) { out += protocol >= 3 ? "_\r\n" : "$-1\r\n"; }
void write_null_array(std::string& out, int protocol) { out += protocol >= 3 ? "_\r\n" : "*-1\r\n"; }
void write_array(std::string& out, std::size_t items) { append_number(out, '*', static_cast<std::int64_t>(items)); }

void write_map(std::string& out, std::size_t pairs, int protocol) {
    append_number(out, protocol >= 3 ? '%' : '*', static_cast<std::int64_t>(protocol >= 3 ? pairs : 2 * pairs));
}

void write_push(std::string& out, std::size_t items, int protocol) {
    append_number(out, protocol >= 3 ? '>' : '*', static_cast<std::int64_t>(items));
}

} // namespace flotilla::resp
