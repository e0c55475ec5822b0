#include <flotilla/base/json_value.hpp>

#include <charconv>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <flotilla/base/json.hpp>
#include <flotilla/base/json_numbers.hpp>
#include <flotilla/base/json_reader.hpp>
#include <flotilla/base/text.hpp>

namespace flotilla::json {
namespace {

using boost::json::value;

bool read_value(Reader& reader, const Path& path, value& into);

bool read_object(Reader& reader, const Path& path, boost::json::object& into) {
    if (!reader.enter()) return false;
    std::string scratch;
    for (bool another = !reader.leave_if_empty('}'); another;) {
        std::string_view key;
        if (!reader.read_key(key, scratch)) return false;
        const auto [member, inserted] = into.emplace(boost::json::string_view(key.data(), key.size()), nullptr);
        const Path member_path{.parent = &path, .key = key};
        if (!inserted) reader.add_error(member_path, "is given twice");
        if (!read_value(reader, member_path, member->value()) || !reader.next_or_leave('}', another)) return false;
    }
    return true;
}

bool read_array(Reader& reader, const Path& path, boost::json::array& into) {
    if (!reader.enter()) return false;
    Path element{.parent = &path, .is_element = true};
    for (bool another = !reader.leave_if_empty(']'); another; ++element.index) {
        if (!read_value(reader, element, into.emplace_back(nullptr)) || !reader.next_or_leave(']', another))
            return false;
    }
    return true;
}

/// Whether the whole token is such a number, within its range.
template <class Number>
bool converts(std::string_view token, Number& number) {
    const char* end = token.data() + token.size();
    const auto [stopped, error] = std::from_chars(token.data(), end, number);
    return error == std::errc{} && stopped == end;
}

bool read_number(Reader& reader, const Path& path, value& into) {
    std::string_view token;
    if (!reader.read_number(token)) return false;
    // An integer would lose the sign of -0.
    if (std::int64_t integer = 0; token != "-0" && converts(token, integer))
        into = integer;
    else if (std::uint64_t natural = 0; converts(token, natural))
        into = natural;
    else if (double real = 0; converts(token, real))
        into = real;
    else
        reader.add_error(path, "expected a number that a double can hold, found " + shortened(token));
    return true;
}

bool read_value(Reader& reader, const Path& path, value& into) {
    switch (reader.peek()) {
    case '{':
        return read_object(reader, path, into.emplace_object());
    case '[':
        return read_array(reader, path, into.emplace_array());
    case '"': {
        std::string scratch;
        std::string_view content;
        if (!reader.read_string(content, scratch)) return false;
        into.emplace_string().assign(content.data(), content.size());
        return true;
    }
    case 't':
        into = true;
        return reader.read_literal("true");
    case 'f':
        into = false;
        return reader.read_literal("false");
    case 'n':
        into = nullptr;
        return reader.read_literal("null");
    default:
        return read_number(reader, path, into);
    }
}

std::string_view view(boost::json::string_view text) { return {text.data(), text.size()}; }

void write_value(std::string& out, const value& from) {
    char separator = 0;
    switch (from.kind()) {
    case boost::json::kind::null:
        out += "null";
        return;
    case boost::json::kind::bool_:
        out += from.get_bool() ? "true" : "false";
        return;
    case boost::json::kind::int64:
        write_integer(out, from.get_int64());
        return;
    case boost::json::kind::uint64:
        write_unsigned(out, from.get_uint64());
        return;
    case boost::json::kind::double_:
        write_real(out, from.get_double());
        return;
    case boost::json::kind::string:
        quote(out, view(from.get_string()));
        return;
    case boost::json::kind::array:
        separator = '[';
        for (const auto& element : from.get_array()) {
            out += separator;
            write_value(out, element);
            separator = ',';
        }
        out += separator == '[' ? "[]" : "]";
        return;
    case boost::json::kind::object:
        separator = '{';
        for (const auto& member : from.get_object()) {
            out += separator;
            quote(out, view(member.key()));
            out += ':';
            write_value(out, member.value());
            separator = ',';
        }
        out += separator == '{' ? "{}" : "}";
        return;
    }
}

} // namespace

Result<value> parse_value(std::string_view text) { return parse<value>(text); }

} // namespace flotilla::json

namespace flotilla::detail {

const JsonOperations json_value_operations{
    .read = [](json::Reader& reader, const json::Path& path,
               void* into) { return json::read_value(reader, path, *static_cast<boost::json::value*>(into)); },
    .write = [](std::string& out,
                const void* value) { json::write_value(out, *static_cast<const boost::json::value*>(value)); },
};

} // namespace flotilla::detail
