#include <flotilla/store/sql_value.hpp>

#include <flotilla/base/json.hpp>

namespace flotilla {
namespace {

SqlValue::Storage to_storage(const TypeDescriptor& type, const void* value) {
    switch (type.kind) {
    case TypeKind::boolean:
        return static_cast<std::int64_t>(*static_cast<const bool*>(value));
    case TypeKind::integer:
        return load_integer(type, value);
    case TypeKind::real:
        return *static_cast<const double*>(value);
    case TypeKind::string:
        return std::string_view(*static_cast<const std::string*>(value));
    case TypeKind::money:
        return static_cast<const Money*>(value)->cents();
    case TypeKind::timestamp:
        return static_cast<const Timestamp*>(value)->microseconds();
    case TypeKind::enumeration:
        return enum_text(type, value);
    case TypeKind::optional:
    case TypeKind::patch: {
        const void* inner = type.optional->get(value);
        return inner ? to_storage(type.element(), inner) : SqlValue::Storage();
    }
    case TypeKind::array:
    case TypeKind::map:
    case TypeKind::structure:
    case TypeKind::json:
        break;
    }
    std::string text;
    json::write_to(text, type, value);
    return text;
}

} // namespace

SqlValue::SqlValue(const TypeDescriptor& type, const void* value) : storage_(to_storage(type, value)) {}

SqlValue SqlValue::owning() const {
    SqlValue copy = *this;
    if (const auto* view = std::get_if<std::string_view>(&storage_)) copy.storage_ = std::string(*view);
    return copy;
}

} // namespace flotilla
