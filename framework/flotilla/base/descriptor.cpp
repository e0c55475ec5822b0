#include <flotilla/base/descriptor.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace flotilla {
namespace {

template <class Integer>
std::int64_t load(const void* value) {
    Integer integer;
    std::memcpy(&integer, value, sizeof integer);
    return static_cast<std::int64_t>(integer);
}

template <class Rows, class Name>
const auto* row_named(const Rows& rows, Name name, std::string_view wanted) {
    const auto found = std::ranges::find(rows, wanted, name);
    return found == rows.end() ? nullptr : &*found;
}

} // namespace

const FieldDescriptor* field_named_json(const TypeDescriptor& type, std::string_view json_name) {
    return row_named(type.fields, &FieldDescriptor::json_name, json_name);
}

const FieldDescriptor* field_named(const TypeDescriptor& type, std::string_view name) {
    return row_named(type.fields, &FieldDescriptor::name, name);
}

const Enumerator* enumerator_of_text(const TypeDescriptor& type, std::string_view text) {
    return row_named(type.enumerators, &Enumerator::text, text);
}

std::string_view enum_text(const TypeDescriptor& type, const void* value) {
    const auto found = std::ranges::find(type.enumerators, load_integer(type, value), &Enumerator::value);
    if (found == type.enumerators.end())
        throw std::out_of_range("no enumerator of " + std::string(type.name) + " has the value");
    return found->text;
}

std::int64_t load_integer(const TypeDescriptor& type, const void* value) {
    switch (type.size) {
    case 1:
        return type.is_signed ? load<std::int8_t>(value) : load<std::uint8_t>(value);
    case 2:
        return type.is_signed ? load<std::int16_t>(value) : load<std::uint16_t>(value);
    case 4:
        return type.is_signed ? load<std::int32_t>(value) : load<std::uint32_t>(value);
    default:
        return load<std::int64_t>(value);
    }
}

void store_integer(const TypeDescriptor& type, void* into, std::int64_t value) {
    // Two's complement: the low bytes are the same for every size and signedness.
    switch (type.size) {
    case 1:
        *static_cast<std::uint8_t*>(into) = static_cast<std::uint8_t>(value);
        return;
    case 2:
        *static_cast<std::uint16_t*>(into) = static_cast<std::uint16_t>(value);
        return;
    case 4:
        *static_cast<std::uint32_t*>(into) = static_cast<std::uint32_t>(value);
        return;
    default:
        *static_cast<std::uint64_t*>(into) = static_cast<std::uint64_t>(value);
        return;
    }
}

} // namespace flotilla
