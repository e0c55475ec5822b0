#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/base/result.hpp>

/// The JSON reader behind parse_into(): for base itself and for kinds that read themselves (json_value.cpp).
/// simdjson finds the tokens (and checks UTF-8 and that strings are closed); this walks them, strictly, straight into
/// described objects. simdjson's own on-demand walk is not used: it takes malformed values that are skipped for good.
namespace flotilla::json {

inline constexpr int kDepthMax = 64;

/// Where a value stands, for error messages: a list on the stack, from the value up to the root.
struct Path {
    const Path* parent = nullptr;
    std::string_view key = {}; ///< of an object's member
    std::size_t index = 0;     ///< of an array's element, without a key
    bool is_element = false;

    /// "items[2].quantity"; keys that are not plain names as lines["a b"].
    std::string to_string() const;
};

/// Reads one text. Functions that return bool answer false when the text is not JSON; then reading stops.
/// A value that is JSON but does not fit is noted in the list of bad fields, and reading goes on.
class Reader {
public:
    /// tokens: the offsets of all tokens, followed by the text's size.
    Reader(std::string_view text, const std::uint32_t* tokens, std::size_t count)
        : text_(text), next_(tokens), end_(tokens + count) {}

    Result<void> read_document(const TypeDescriptor& type, void* into, const FieldSet& bound);

    /// The first byte of the next token; 0 at the end.
    char peek() const { return next_ == end_ ? '\0' : text_[*next_]; }
    bool read_value(const TypeDescriptor& type, void* into, const Path& path);
    /// Goes past a value that nobody wants, as strictly as if somebody did.
    bool skip_value(const Path& path);

    /// `{`, or `[`: goes in, unless too deep.
    bool enter();
    /// After a member or element: a comma (another = true) or the closing bracket.
    bool next_or_leave(char closing, bool& another);
    /// Right after enter(): whether there is nothing inside; then it has left again.
    bool leave_if_empty(char closing);
    /// A member's key and colon. `scratch` holds keys with escapes.
    bool read_key(std::string_view& key, std::string& scratch);
    /// The content of a string, in place or, with escapes, in scratch.
    bool read_string(std::string_view& content, std::string& scratch);
    /// null, true, false: the whole token.
    bool read_literal(std::string_view literal);
    bool read_number(std::string_view& token);

    void add_error(const Path& path, std::string message);

private:
    class SkippedKeys;
    bool skip_object(const Path& path);
    bool skip_array(const Path& path);
    bool read_scalar(const TypeDescriptor& type, void* into, const Path& path);
    bool read_boolean(const TypeDescriptor& type, void* into, const Path& path);
    bool read_text(const TypeDescriptor& type, void* into, const Path& path);
    bool read_array(const TypeDescriptor& type, void* into, const Path& path);
    bool read_map(const TypeDescriptor& type, void* into, const Path& path);
    bool read_structure(const TypeDescriptor& type, void* into, const Path& path, const FieldSet& bound);
    bool read_member(const TypeDescriptor& type, void* into, const Path& path, std::size_t& expected_field,
                     FieldSet& seen, const FieldSet& bound, SkippedKeys& skipped);
    void add_repeated(SkippedKeys& keys, const Path& path);
    void add_missing(const TypeDescriptor& type, const Path& path, const FieldSet& seen);

    /// Notes that another kind of value stands there, and goes past it.
    bool mismatch(const TypeDescriptor& type, const Path& path);
    std::string describe_next() const;
    std::string_view token() const;
    bool unescape(std::string_view raw, std::size_t offset, std::string& out);
    bool malformed(std::size_t offset, std::string_view why);
    bool malformed(std::string_view why) { return malformed(*next_, why); }

    std::string_view text_;
    const std::uint32_t* next_;
    const std::uint32_t* end_; ///< points at the text's size
    int depth_ = 0;
    std::size_t malformed_offset_ = 0;
    std::string_view malformed_why_;
    std::vector<FieldError> errors_;
};

} // namespace flotilla::json
