#include <flotilla/base/json_scalar.hpp>

#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include <flotilla/base/decimal.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/base/text.hpp>

namespace flotilla::json {
namespace {

/// The range an integer of that type has, or is bounded to; as text, since an unsigned one exceeds the signed range.
std::string range_text(const TypeDescriptor& type) {
    if (type.constraint.has_range) return fmt::format("{}..{}", type.constraint.minimum, type.constraint.maximum);
    const auto bits = static_cast<int>(type.size * 8);
    if (!type.is_signed) return fmt::format("0..{}", ~std::uint64_t{0} >> (64 - bits));
    const auto maximum = static_cast<std::int64_t>(~std::uint64_t{0} >> (65 - bits));
    return fmt::format("{}..{}", -maximum - 1, maximum);
}

/// Whether the integer fits the type's size, signedness and bounds.
bool fits(const TypeDescriptor& type, std::int64_t value) {
    if (type.constraint.has_range) return value >= type.constraint.minimum && value <= type.constraint.maximum;
    if (type.size == sizeof(value)) return true;
    const auto bits = type.size * 8;
    if (!type.is_signed) return value >= 0 && value < (std::int64_t{1} << bits);
    const auto half = std::int64_t{1} << (bits - 1);
    return value >= -half && value < half;
}

std::string outside(const std::string& range, std::string_view found) {
    return fmt::format("expected {}, found {}", range, shortened(found));
}

std::string set_text(const TypeDescriptor& type, void* into, std::string_view content) {
    if (const auto& limits = type.constraint; limits.has_length) {
        const auto length = code_points(content);
        if (length < limits.min_length || length > limits.max_length) {
            if (limits.max_length == std::numeric_limits<std::size_t>::max()) {
                return fmt::format("expected at least {} characters, found {}", limits.min_length, length);
            }
            return fmt::format("expected {}..{} characters, found {}", limits.min_length, limits.max_length, length);
        }
    }
    static_cast<std::string*>(into)->assign(content);
    return {};
}

std::string set_timestamp(void* into, std::string_view content) {
    auto time = Timestamp::parse(content);
    if (!time) return time.error().message();
    *static_cast<Timestamp*>(into) = *time;
    return {};
}

std::string set_enumeration(const TypeDescriptor& type, void* into, std::string_view content) {
    const auto* found = enumerator_of_text(type, content);
    if (!found) return fmt::format("expected {}, found \"{}\"", expected(type), shortened(content));
    store_integer(type, into, found->value);
    return {};
}

std::string set_boolean(void* into, std::string_view text) {
    if (text != "true" && text != "false") return fmt::format("expected true or false, found \"{}\"", shortened(text));
    *static_cast<bool*>(into) = text == "true";
    return {};
}

std::string set_number(const TypeDescriptor& type, void* into, std::string_view text) {
    if (!is_number(text)) return fmt::format("expected {}, found \"{}\"", expected(type), shortened(text));
    if (type.kind == TypeKind::integer) return set_integer(type, into, text);
    if (type.kind == TypeKind::real) return set_real(type, into, text);
    return set_money(into, text);
}

std::string set_from_parameter(const TypeDescriptor& type, void* into, std::string_view text) {
    switch (type.kind) {
    case TypeKind::boolean:
        return set_boolean(into, text);
    case TypeKind::integer:
    case TypeKind::real:
    case TypeKind::money:
        return set_number(type, into, text);
    case TypeKind::string:
    case TypeKind::timestamp:
    case TypeKind::enumeration:
        return set_string(type, into, text);
    case TypeKind::optional:
    case TypeKind::patch:
        return set_from_parameter(type.element(), type.optional->emplace(into), text);
    case TypeKind::array:
        return set_from_parameter(type.element(), type.array->emplace_back(into), text);
    case TypeKind::map:
    case TypeKind::structure:
    case TypeKind::json:
        break;
    }
    return fmt::format("expected {}, which a parameter cannot say", expected(type));
}

} // namespace

bool is_number(std::string_view token) {
    std::size_t at = 0;
    const auto digits = [&] {
        const auto begin = at;
        while (at < token.size() && token[at] >= '0' && token[at] <= '9')
            ++at;
        return at - begin;
    };
    if (at < token.size() && token[at] == '-') ++at;
    const auto first = at;
    const auto whole = digits();
    if (whole == 0 || (whole > 1 && token[first] == '0')) return false;
    if (at < token.size() && token[at] == '.') {
        ++at;
        if (digits() == 0) return false;
    }
    if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
        ++at;
        if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
        if (digits() == 0) return false;
    }
    return at == token.size();
}

std::string set_integer(const TypeDescriptor& type, void* into, std::string_view token) {
    const auto number = scaled(token, 0);
    if (number.outcome == Scaled::Outcome::fraction) return outside("a whole number", token);
    if (type.is_signed || type.constraint.has_range || type.size < sizeof(std::int64_t)) {
        const auto value = number.to_signed();
        if (!value || !fits(type, *value)) return outside(range_text(type), token);
        store_integer(type, into, *value);
    } else {
        const auto value = number.to_unsigned();
        if (!value) return outside(range_text(type), token);
        store_integer(type, into, static_cast<std::int64_t>(*value));
    }
    return {};
}

std::string set_real(const TypeDescriptor& type, void* into, std::string_view token) {
    double value = 0;
    const auto error = std::from_chars(token.data(), token.data() + token.size(), value).ec;
    if (error != std::errc{}) return outside("a number that a double can hold", token);
    const auto& limits = type.constraint;
    if (limits.has_range && !(value >= limits.real_minimum && value <= limits.real_maximum)) {
        return outside(fmt::format("{}..{}", limits.real_minimum, limits.real_maximum), token);
    }
    *static_cast<double*>(into) = value;
    return {};
}

std::string set_money(void* into, std::string_view token) {
    auto amount = Money::parse(token);
    if (!amount) return amount.error().message();
    *static_cast<Money*>(into) = *amount;
    return {};
}

std::string set_string(const TypeDescriptor& type, void* into, std::string_view content) {
    if (type.kind == TypeKind::timestamp) return set_timestamp(into, content);
    if (type.kind == TypeKind::enumeration) return set_enumeration(type, into, content);
    return set_text(type, into, content);
}

std::string expected(const TypeDescriptor& type) {
    switch (type.kind) {
    case TypeKind::boolean:
        return "true or false";
    case TypeKind::integer:
        return "a whole number";
    case TypeKind::real:
        return "a number";
    case TypeKind::string:
        return "a string";
    case TypeKind::money:
        return "an amount with at most two decimals";
    case TypeKind::timestamp:
        return "a time like \"2026-01-31T08:00:00Z\"";
    case TypeKind::enumeration: {
        std::string names = type.enumerators.size() == 1 ? "" : "one of ";
        for (const auto& enumerator : type.enumerators) {
            if (&enumerator != &type.enumerators.front()) names += ", ";
            names += enumerator.text;
        }
        return names;
    }
    case TypeKind::optional:
    case TypeKind::patch:
        return expected(type.element());
    case TypeKind::array:
        return "an array";
    case TypeKind::map:
    case TypeKind::structure:
        return "an object";
    case TypeKind::json:
        return "any value";
    }
    std::unreachable();
}

Result<void> set_from_text(const TypeDescriptor& type, void* into, std::string_view text) {
    auto wrong = simdjson::validate_utf8(text.data(), text.size()) ? set_from_parameter(type, into, text)
                                                                   : std::string("expected UTF-8 text");
    if (!wrong.empty()) return Error(Kind::invalid, "invalid_request", std::move(wrong));
    return {};
}

} // namespace flotilla::json
