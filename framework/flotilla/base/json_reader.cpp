#include <flotilla/base/json_reader.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <forward_list>

#include <fmt/format.h>

#include <flotilla/base/json_scalar.hpp>
#include <flotilla/base/text.hpp>

namespace flotilla::json {
namespace {

constexpr std::size_t kErrorsMax = 100;
/// A number of so many characters may be a secret.
constexpr std::size_t kSecretDigits = 8;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

bool is_plain_name(std::string_view key) {
    return !key.empty() &&
           std::ranges::all_of(key, [](char c) { return flotilla::detail::is_identifier(c) || c == '-'; });
}

/// The position of the field with that key, looking at `expected_field` first: keys mostly come in their order.
std::size_t find_field(const TypeDescriptor& type, std::string_view key, std::size_t expected_field) {
    const auto& fields = type.fields;
    if (expected_field < fields.size() && fields[expected_field].json_name == key) return expected_field;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].json_name == key) return i;
    }
    return fields.size();
}

} // namespace

/// The keys of one object that are no fields, to find those given twice: sorted once at the object's end, so that a
/// million of them cost no more than their number times its logarithm, whatever they are.
class Reader::SkippedKeys {
public:
    void add(std::string_view key, const std::string& scratch) {
        // What had escapes is in scratch, which the next key overwrites.
        keys_.push_back(key.data() == scratch.data() ? std::string_view(unescaped_.emplace_front(key)) : key);
    }
    template <class Visit>
    void for_each_repeated(Visit visit) {
        if (keys_.size() < 2) return;
        std::ranges::sort(keys_);
        for (auto at = keys_.begin(); (at = std::adjacent_find(at, keys_.end())) != keys_.end();) {
            visit(*at);
            at = std::upper_bound(at, keys_.end(), *at);
        }
    }

private:
    std::vector<std::string_view> keys_;
    std::forward_list<std::string> unescaped_;
};

std::string Path::to_string() const {
    if (!parent) return {};
    auto text = parent->to_string();
    if (is_element) return text + fmt::format("[{}]", index);
    if (is_plain_name(key)) return text + (text.empty() ? "" : ".") + shortened(key);
    text += '[';
    quote(text, shortened(key));
    return text + ']';
}

Result<void> Reader::read_document(const TypeDescriptor& type, void* into, const FieldSet& bound) {
    const Path root;
    bool whole = peek() == '{' && type.kind == TypeKind::structure ? read_structure(type, into, root, bound)
                                                                   : read_value(type, into, root);
    if (whole && next_ != end_) whole = malformed("expected the end");
    if (!whole) {
        return Error(Kind::invalid, "invalid_json",
                     fmt::format("not JSON: {} at byte {}", malformed_why_, malformed_offset_));
    }
    if (!errors_.empty()) return invalid_request(std::move(errors_));
    return {};
}

bool Reader::read_value(const TypeDescriptor& type, void* into, const Path& path) {
    switch (type.kind) {
    case TypeKind::optional:
    case TypeKind::patch:
        if (peek() != 'n') return read_value(type.element(), type.optional->emplace(into), path);
        type.optional->set_null(into);
        return read_literal("null");
    case TypeKind::array:
        return read_array(type, into, path);
    case TypeKind::map:
        return read_map(type, into, path);
    case TypeKind::structure:
        return read_structure(type, into, path, {});
    case TypeKind::json:
        return type.json->read(*this, path, into);
    case TypeKind::boolean:
        return read_boolean(type, into, path);
    case TypeKind::string:
    case TypeKind::timestamp:
    case TypeKind::enumeration:
        return read_text(type, into, path);
    case TypeKind::integer:
    case TypeKind::real:
    case TypeKind::money:
        return read_scalar(type, into, path);
    }
    std::unreachable();
}

bool Reader::read_boolean(const TypeDescriptor& type, void* into, const Path& path) {
    const char first = peek();
    if (first != 't' && first != 'f') return mismatch(type, path);
    *static_cast<bool*>(into) = first == 't';
    return read_literal(first == 't' ? "true" : "false");
}

bool Reader::read_scalar(const TypeDescriptor& type, void* into, const Path& path) {
    const char first = peek();
    if (first != '-' && !(first >= '0' && first <= '9')) return mismatch(type, path);
    std::string_view number;
    if (!read_number(number)) return false;
    auto wrong = type.kind == TypeKind::integer ? set_integer(type, into, number)
                 : type.kind == TypeKind::real  ? set_real(type, into, number)
                                                : set_money(into, number);
    if (!wrong.empty()) add_error(path, std::move(wrong));
    return true;
}

bool Reader::read_text(const TypeDescriptor& type, void* into, const Path& path) {
    if (peek() != '"') return mismatch(type, path);
    std::string scratch;
    std::string_view content;
    if (!read_string(content, scratch)) return false;
    if (auto wrong = set_string(type, into, content); !wrong.empty()) add_error(path, std::move(wrong));
    return true;
}

bool Reader::read_array(const TypeDescriptor& type, void* into, const Path& path) {
    if (peek() != '[') return mismatch(type, path);
    if (!enter()) return false;
    Path element{.parent = &path, .is_element = true};
    for (bool another = !leave_if_empty(']'); another; ++element.index) {
        if (!read_value(type.element(), type.array->emplace_back(into), element) || !next_or_leave(']', another))
            return false;
    }
    return true;
}

bool Reader::read_map(const TypeDescriptor& type, void* into, const Path& path) {
    if (peek() != '{') return mismatch(type, path);
    if (!enter()) return false;
    std::string scratch;
    for (bool another = !leave_if_empty('}'); another;) {
        std::string_view key;
        if (!read_key(key, scratch)) return false;
        const Path member{.parent = &path, .key = key};
        if (void* value = type.map->insert(into, std::string(key))) {
            if (!read_value(type.element(), value, member)) return false;
        } else {
            add_error(member, "is given twice");
            if (!skip_value(member)) return false;
        }
        if (!next_or_leave('}', another)) return false;
    }
    return true;
}

bool Reader::read_structure(const TypeDescriptor& type, void* into, const Path& path, const FieldSet& bound) {
    if (peek() != '{') return mismatch(type, path);
    if (!enter()) return false;
    FieldSet seen;
    SkippedKeys skipped;
    std::size_t expected_field = 0;
    for (bool another = !leave_if_empty('}'); another;) {
        if (!read_member(type, into, path, expected_field, seen, bound, skipped) || !next_or_leave('}', another))
            return false;
    }
    add_repeated(skipped, path);
    add_missing(type, path, seen | bound);
    return true;
}

bool Reader::read_member(const TypeDescriptor& type, void* into, const Path& path, std::size_t& expected_field,
                         FieldSet& seen, const FieldSet& bound, SkippedKeys& skipped) {
    std::string scratch;
    std::string_view key;
    if (!read_key(key, scratch)) return false;
    const auto i = find_field(type, key, expected_field);
    if (i == type.fields.size() || bound[i]) {
        skipped.add(key, scratch);
        return skip_value({.parent = &path, .key = key});
    }
    const auto& field = type.fields[i];
    const Path member{.parent = &path, .key = field.json_name};
    if (seen[i]) {
        add_error(member, "is given twice");
        return skip_value(member);
    }
    seen.set(i);
    expected_field = i + 1;
    return read_value(*field.type, field.in(into), member);
}

void Reader::add_missing(const TypeDescriptor& type, const Path& path, const FieldSet& seen) {
    if (seen.count() == type.fields.size()) return;
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
        const auto& field = type.fields[i];
        if (!seen[i] && !field.type->may_be_absent())
            add_error({.parent = &path, .key = field.json_name}, "is required");
    }
}

void Reader::add_repeated(SkippedKeys& keys, const Path& path) {
    keys.for_each_repeated([&](std::string_view key) { add_error({.parent = &path, .key = key}, "is given twice"); });
}

bool Reader::skip_value(const Path& path) {
    std::string scratch;
    std::string_view ignored;
    switch (peek()) {
    case '{':
        return skip_object(path);
    case '[':
        return skip_array(path);
    case '"':
        return read_string(ignored, scratch);
    case 't':
        return read_literal("true");
    case 'f':
        return read_literal("false");
    case 'n':
        return read_literal("null");
    default:
        return read_number(ignored);
    }
}

bool Reader::skip_object(const Path& path) {
    if (!enter()) return false;
    SkippedKeys keys;
    std::string scratch;
    for (bool another = !leave_if_empty('}'); another;) {
        std::string_view key;
        if (!read_key(key, scratch)) return false;
        keys.add(key, scratch);
        if (!skip_value({.parent = &path, .key = key}) || !next_or_leave('}', another)) return false;
    }
    add_repeated(keys, path);
    return true;
}

bool Reader::skip_array(const Path& path) {
    if (!enter()) return false;
    Path element{.parent = &path, .is_element = true};
    for (bool another = !leave_if_empty(']'); another; ++element.index) {
        if (!skip_value(element) || !next_or_leave(']', another)) return false;
    }
    return true;
}

bool Reader::enter() {
    if (depth_ == kDepthMax) return malformed("nested deeper than 64 levels");
    ++depth_;
    ++next_;
    return true;
}

bool Reader::leave_if_empty(char closing) {
    if (peek() != closing) return false;
    --depth_;
    ++next_;
    return true;
}

bool Reader::next_or_leave(char closing, bool& another) {
    const char c = peek();
    if (c != ',' && c != closing) return malformed(closing == '}' ? "expected , or }" : "expected , or ]");
    another = c == ',';
    if (!another) --depth_;
    ++next_;
    return true;
}

bool Reader::read_key(std::string_view& key, std::string& scratch) {
    if (peek() != '"') return malformed("expected a key");
    if (!read_string(key, scratch)) return false;
    if (peek() != ':') return malformed("expected :");
    ++next_;
    return true;
}

// A token ends where the next one begins; between them is white space only.
std::string_view Reader::token() const {
    if (next_ == end_) return {};
    auto text = text_.substr(*next_, next_[1] - *next_);
    while (is_space(text.back()))
        text.remove_suffix(1);
    return text;
}

bool Reader::read_string(std::string_view& content, std::string& scratch) {
    const auto text = token();
    const auto* begin = text.data() + 1;
    const auto* end = text.data() + text.size();
    const auto* quote = static_cast<const char*>(std::memchr(begin, '"', static_cast<std::size_t>(end - begin)));
    const auto* plain_end = quote ? quote : end;
    if (!std::memchr(begin, '\\', static_cast<std::size_t>(plain_end - begin))) {
        if (!quote || quote + 1 != end) return malformed("expected a closed string");
        content = {begin, quote};
    } else {
        scratch.clear();
        if (!unescape({begin, end}, *next_ + 1, scratch)) return false;
        content = scratch;
    }
    ++next_;
    return true;
}

bool Reader::read_literal(std::string_view literal) {
    if (token() != literal) return malformed("expected a value");
    ++next_;
    return true;
}

bool Reader::read_number(std::string_view& number) {
    number = token();
    if (!is_number(number)) return malformed("expected a value");
    ++next_;
    return true;
}

void Reader::add_error(const Path& path, std::string message) {
    if (errors_.size() < kErrorsMax) errors_.push_back({path.to_string(), std::move(message)});
}

bool Reader::mismatch(const TypeDescriptor& type, const Path& path) {
    add_error(path, "expected " + expected(type) + ", found " + describe_next());
    return skip_value(path);
}

std::string Reader::describe_next() const {
    switch (peek()) {
    case '{':
        return "an object";
    case '[':
        return "an array";
    case '"':
        return "a string"; // not its content, which may be a secret in the wrong place
    default:
        if (const auto text = token(); text.size() < kSecretDigits || text.front() > '9') return shortened(text);
        return "a number"; // a card's or an account's, in the wrong place
    }
}

bool Reader::malformed(std::size_t offset, std::string_view why) {
    malformed_offset_ = offset;
    malformed_why_ = why;
    return false;
}

} // namespace flotilla::json
