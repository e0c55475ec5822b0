#include <flotilla/base/json.hpp>

#include <charconv>
#include <cmath>
#include <stdexcept>

#include <flotilla/base/json_numbers.hpp>

namespace flotilla::json {
namespace {

void write_array(std::string& out, const TypeDescriptor& type, const void* value) {
    const auto* element = static_cast<const std::byte*>(type.array->data(value));
    const auto size = type.array->size(value);
    out += '[';
    for (std::size_t i = 0; i < size; ++i, element += type.element().size) {
        if (i > 0) out += ',';
        write_to(out, type.element(), element);
    }
    out += ']';
}

void write_map(std::string& out, const TypeDescriptor& type, const void* value) {
    struct Visitor {
        std::string& out;
        const TypeDescriptor& element;
        bool first = true;
    } visitor{out, type.element()};
    out += '{';
    type.map->for_each(value, &visitor, [](void* v, std::string_view key, const void* member) {
        auto& [text, element, first] = *static_cast<Visitor*>(v);
        if (!first) text += ',';
        first = false;
        quote(text, key);
        text += ':';
        write_to(text, element, member);
    });
    out += '}';
}

void write_structure(std::string& out, const TypeDescriptor& type, const void* value) {
    char separator = '{';
    for (const auto& field : type.fields) {
        const void* member = field.in(value);
        if (field.type->may_be_absent() && field.type->optional->is_absent(member)) continue;
        out += separator;
        out += '"';
        out += field.json_name; // an identifier: nothing to escape
        out += "\":";
        write_to(out, *field.type, member);
        separator = ',';
    }
    out += separator == '{' ? "{}" : "}";
}

void write_optional(std::string& out, const TypeDescriptor& type, const void* value) {
    const void* inner = type.optional->get(value);
    if (inner)
        write_to(out, type.element(), inner);
    else
        out += "null";
}

void write_timestamp(std::string& out, Timestamp time) {
    // RFC 3339 has four digits for the year, and what is written must be readable.
    constexpr Timestamp kFirst{-62'167'219'200'000'000}, kLast{253'402'300'799'999'999};
    if (time < kFirst || time > kLast) throw std::domain_error("a time outside the years 0 to 9999 has no JSON form");
    // Milliseconds, always three digits, as JavaScript writes and reads them; rounded down, so that equal times stay
    // equal and no time comes to lie after the moment it stands for.
    const auto beyond = ((time.microseconds() % 1000) + 1000) % 1000;
    out += '"';
    out += Timestamp(time.microseconds() - beyond).to_string();
    out += '"';
}

} // namespace

void write_integer(std::string& out, std::int64_t value) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void write_unsigned(std::string& out, std::uint64_t value) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void write_real(std::string& out, double value) {
    if (!std::isfinite(value)) throw std::domain_error("infinity and NaN have no JSON form");
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void write_money(std::string& out, Money amount) {
    const auto cents = amount.cents();
    const auto magnitude = cents < 0 ? 0 - static_cast<std::uint64_t>(cents) : static_cast<std::uint64_t>(cents);
    const auto decimals = magnitude % 100;
    if (cents < 0) out += '-';
    write_unsigned(out, magnitude / 100);
    if (decimals == 0) return;
    out += '.';
    out += static_cast<char>('0' + decimals / 10);
    if (decimals % 10 != 0) out += static_cast<char>('0' + decimals % 10);
}

void write_to(std::string& out, const TypeDescriptor& type, const void* value) {
    switch (type.kind) {
    case TypeKind::boolean:
        out += *static_cast<const bool*>(value) ? "true" : "false";
        return;
    case TypeKind::integer: {
        const auto integer = load_integer(type, value);
        if (type.is_signed)
            write_integer(out, integer);
        else
            write_unsigned(out, static_cast<std::uint64_t>(integer));
        return;
    }
    case TypeKind::real:
        write_real(out, *static_cast<const double*>(value));
        return;
    case TypeKind::string:
        quote(out, *static_cast<const std::string*>(value));
        return;
    case TypeKind::money:
        write_money(out, *static_cast<const Money*>(value));
        return;
    case TypeKind::timestamp:
        write_timestamp(out, *static_cast<const Timestamp*>(value));
        return;
    case TypeKind::enumeration:
        out += '"';
        out += enum_text(type, value);
        out += '"';
        return;
    case TypeKind::optional:
    case TypeKind::patch:
        write_optional(out, type, value);
        return;
    case TypeKind::array:
        write_array(out, type, value);
        return;
    case TypeKind::map:
        write_map(out, type, value);
        return;
    case TypeKind::structure:
        write_structure(out, type, value);
        return;
    case TypeKind::json:
        type.json->write(out, value);
        return;
    }
}

} // namespace flotilla::json
