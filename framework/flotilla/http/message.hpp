#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flotilla/contract/endpoint.hpp>
#include <flotilla/http/http1/known_field.hpp>

namespace flotilla::http {

/// Header (or trailer) fields in order, duplicates kept. Names compare without case; they keep their spelling.
/// All text lives in one buffer, as HTTP/1.1 writes it: parsing a head copies it once and allocates nothing per field
/// on the warm path, and passing fields on copies whole lines. Views returned stay valid until the next modification.
class Headers {
public:
    struct Field {
        std::string_view name;
        std::string_view value;
    };

    /// Appends. Requires: name is a token, value has no CR, LF or NUL (checked; a violation throws: it is a bug).
    void add(std::string_view name, std::string_view value);
    /// Appends a field of other headers, which is known to be valid.
    void add(const Headers& from, std::size_t index);
    /// add() unchecked, for hot paths. Requires: name is a constant token; value is made of what needs no check (ids,
    /// numbers, what the parser has let through), without spaces around it.
    void add_valid(std::string_view name, std::string_view value) { append(known_field(name), name, value); }
    /// Replaces every field of that name by one.
    void set(std::string_view name, std::string_view value);
    /// set() as add_valid() adds; one field with a value of the same size is overwritten in its place. Requires also:
    /// neither is a view into this object.
    void set_valid(std::string_view name, std::string_view value);
    void remove(std::string_view name);
    /// The first field of that name.
    std::optional<std::string_view> get(std::string_view name) const;
    bool has(std::string_view name) const { return get(name).has_value(); }
    bool has(KnownField field) const {
        return std::ranges::any_of(entries_, [field](const Entry& entry) { return entry.known == field; });
    }
    /// True when a comma-separated list field (all its lines) contains the token, without case.
    bool lists(std::string_view name, std::string_view token) const;
    std::size_t size() const { return entries_.size(); }
    Field operator[](std::size_t index) const;
    /// The field as HTTP/1.1 writes it: "name: value\r\n". Lines of fields added one after the other stand side by
    /// side.
    std::string_view line(std::size_t index) const;
    /// What the codec knows the field as.
    KnownField known(std::size_t index) const { return entries_[index].known; }
    void clear();

private:
    friend class HeadParser;
    static constexpr std::uint32_t kPunctuation = 4; ///< of a line: ": " and CRLF
    struct Entry {
        std::uint32_t at, name_size, value_size;
        KnownField known;
        std::uint32_t line_size() const { return name_size + value_size + kPunctuation; }
    };
    /// add() for text that is known to be valid.
    void append(KnownField known, std::string_view name, std::string_view value);
    std::string_view name_of(const Entry& entry) const;
    std::string_view value_of(const Entry& entry) const;
    std::string text_;
    std::vector<Entry> entries_;
};

/// How much body follows a head.
struct BodySize {
    enum class Framing : unsigned char { none, known, unknown };
    Framing framing = Framing::none;
    std::uint64_t bytes = 0; ///< for `known`

    static BodySize none() { return {}; }
    static BodySize of(std::uint64_t bytes) { return {Framing::known, bytes}; }
    /// Streamed: chunked in HTTP/1.1.
    static BodySize unknown() { return {Framing::unknown, 0}; }
};

struct RequestHead {
    Method method = Method::get;
    std::string method_name = "GET"; ///< as sent, also for methods the enum does not know
    std::string target = "/";        ///< origin form as sent: path and query, still percent-encoded
    std::string authority;           ///< Host (or :authority)
    Headers headers;                 ///< as received through an Exchange: without Host and the codec's framing fields
    int minor_version = 1;           ///< of HTTP/1.x, as received; what is sent is HTTP/1.1
    std::string_view path() const;   ///< target up to '?'
    std::string_view query() const;  ///< after '?', or empty
};

struct ResponseHead {
    int status = 200;
    Headers headers;
    int minor_version = 1; ///< as RequestHead's
};

/// A whole message in memory.
struct Request {
    RequestHead head;
    std::string body;
};
struct Response {
    ResponseHead head;
    std::string body;
    int status() const { return head.status; }
};

/// The reason phrase of a status, e.g. "Not Found"; "" when unknown.
std::string_view reason_phrase(int status);

/// Percent-decodes; nullopt on an invalid escape or a decoded NUL. plus_is_space for queries.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
/// Encodes everything but unreserved characters (RFC 3986 §2.3).
std::string percent_encode(std::string_view text);
/// "a=1&b=x%20y" to decoded pairs in order; nullopt on an invalid escape.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

} // namespace flotilla::http
