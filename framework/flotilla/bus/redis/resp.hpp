#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>

/// RESP, the Redis serialization protocol, versions 2 and 3: parsers and writers, no I/O. Shared by the redis driver of
/// the bus and by every server that speaks the protocol. Thread-safety: none.
/// Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
namespace flotilla::resp {

/// Bounds of what a parser accepts. Past one it answers `too_large` or `invalid`; the connection must then be closed.
struct Limits {
    std::size_t bulk_bytes_max = 16 * 1024 * 1024;    ///< one string
    std::size_t message_bytes_max = 64 * 1024 * 1024; ///< one whole command or reply
    std::size_t items_max = 1024 * 1024;              ///< entries of one aggregate, arguments of one command
    std::size_t depth_max = 16;                       ///< nesting of replies
    std::size_t line_bytes_max = 64 * 1024;           ///< an inline command, a status or error line
};

/// One reply (or push message) of either protocol version.
struct Value {
    enum class Type : unsigned char {
        simple,  ///< status line, in `text`
        error,   ///< error line or blob, in `text` with its code ("NOGROUP No such key ...")
        integer, ///< in `integer`
        bulk,    ///< bytes, in `text`; RESP3 verbatim strings arrive here without their format prefix
        null,    ///< RESP3 null, RESP2 null bulk and null array
        array,   ///< in `items`
        set,     ///< RESP3, in `items`
        map,     ///< RESP3, in `items`: key, value, key, value, ...
        push,    ///< RESP3 out-of-band message, in `items`
        boolean, ///< RESP3, in `integer` (0 or 1)
        number,  ///< RESP3 double and big number, as written, in `text`
    };
    Type type = Type::null;
    std::string text;
    std::int64_t integer = 0;
    std::vector<Value> items;

    bool is_null() const { return type == Type::null; }
    bool is_error() const { return type == Type::error; }
    bool is_text() const { return type == Type::bulk || type == Type::simple; }
    bool is_aggregate() const { return type >= Type::array && type <= Type::push; }
    bool operator==(const Value&) const = default;
};

/// Parses replies as a client receives them, piece by piece, without looking at a byte twice.
class Parser {
public:
    explicit Parser(Limits limits = {}) : limits_(limits) {}

    void feed(std::string_view bytes);
    /// The next whole value; nullopt when more bytes are needed. Errors: invalid (not RESP), too_large; the parser is
    /// then of no further use.
    Result<std::optional<Value>> next();
    /// Bytes fed and not yet part of a returned value.
    std::size_t pending() const { return buffer_.size() - position_; }

private:
    struct Open {
        Value value;
        std::size_t missing = 0;
        bool attribute = false;
    };
    Result<bool> step(std::optional<Value>& done);
    Result<bool> line_value(char marker, std::string_view line, std::size_t end, std::optional<Value>& done);
    Result<bool> bulk(char marker, std::string_view line, std::size_t end, std::optional<Value>& done);
    Result<bool> open(char marker, std::string_view line, std::size_t end, std::optional<Value>& done);
    void close(Value value, std::optional<Value>& done);

    Limits limits_;
    std::string buffer_;
    std::size_t position_ = 0;
    std::size_t message_bytes_ = 0;
    std::vector<Open> open_;
};

/// Parses commands as a server receives them: arrays of bulk strings, and inline commands (a line of words, quoted
/// where needed) as a person types them. Arguments are views into the parser's buffer: no copy, no allocation per
/// command.
class CommandParser {
public:
    explicit CommandParser(Limits limits = {}) : limits_(limits) {}

    void feed(std::string_view bytes);
    /// The next whole command, never empty; nullopt when more bytes are needed. The views are valid until the next call
    /// of feed() or next(). Errors: invalid, too_large, with Redis' wording ("Protocol error: invalid bulk length");
    /// the parser is then of no further use.
    Result<std::optional<std::span<const std::string_view>>> next();
    std::size_t pending() const { return buffer_.size() - begin_; }

private:
    struct Piece {
        std::size_t at, size; // relative to begin_
    };
    Result<bool> array_step();
    Result<bool> inline_command();
    Result<bool> argument_step();
    std::span<const std::string_view> finish_array();

    Limits limits_;
    std::string buffer_;
    std::size_t begin_ = 0;    // first byte of the command being parsed
    std::size_t position_ = 0; // relative to begin_: how far it is parsed
    std::size_t arguments_missing_ = 0;
    std::vector<Piece> pieces_;
    std::vector<std::string_view> arguments_;
    std::vector<std::string> words_; // of an inline command
};

/// Splits a line into words as Redis does: blanks separate; "..." with \n \r \t \b \a \xHH \" and '...' with \' quote.
/// nullopt when quotes are unbalanced.
std::optional<std::vector<std::string>> split_words(std::string_view line);

/// Appends a command as an array of bulk strings.
void write_command(std::string& out, std::initializer_list<std::string_view> arguments);
void write_command(std::string& out, std::span<const std::string_view> arguments);
void write_command(std::string& out, std::span<const std::string> arguments);

void write_simple(std::string& out, std::string_view text);
/// "ERR wrong number of arguments ..." without the leading '-'. CR and LF become blanks.
void write_error(std::string& out, std::string_view text);
void write_integer(std::string& out, std::int64_t value);
void write_bulk(std::string& out, std::string_view bytes);
/// `protocol` is 2 or 3.
void write_null(std::string& out, int protocol);
/// What RESP2 spells as a null array.
void write_null_array(std::string& out, int protocol);
void write_array(std::string& out, std::size_t items);
/// A map of `pairs` entries: in RESP2 an array of twice as many.
void write_map(std::string& out, std::size_t pairs, int protocol);
/// An out-of-band message: in RESP2 an array.
void write_push(std::string& out, std::size_t items, int protocol);

} // namespace flotilla::resp
