#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <flotilla/base/constrained.hpp>
#include <flotilla/base/descriptor_names.hpp>
#include <flotilla/base/money.hpp>
#include <flotilla/base/patch.hpp>
#include <flotilla/base/time.hpp>

/// Reflection: one constant table per plain type. Ordinary code over these tables does JSON, SQL rows, documents and
/// schemas, so that a type costs its table and nothing else.
namespace flotilla {

/// What a type is. Constrained types (Bounded, Text) are their inner kind with a Constraint.
enum class TypeKind : std::uint8_t {
    boolean,     ///< bool
    integer,     ///< std::int8_t .. std::uint64_t: size and is_signed tell which
    real,        ///< double
    string,      ///< std::string, UTF-8
    money,       ///< Money
    timestamp,   ///< Timestamp
    enumeration, ///< enum class with values 0..63: size and is_signed tell the underlying type
    optional,    ///< std::optional<element>
    patch,       ///< Patch<element>
    array,       ///< std::vector<element>
    map,         ///< std::map<std::string, element>
    structure,   ///< an aggregate: fields
    json,        ///< any JSON, kept as it is (base/json_value.hpp)
};

/// A struct has at most so many fields.
inline constexpr std::size_t kFieldsMax = 128;

struct TypeDescriptor;

/// One member of a struct.
struct FieldDescriptor {
    std::string_view name;      ///< as in C++, without a trailing underscore: "user_id"
    std::string_view json_name; ///< "userId"
    std::size_t offset;         ///< bytes from the start of the struct
    const TypeDescriptor* type;

    void* in(void* object) const { return static_cast<std::byte*>(object) + offset; }
    const void* in(const void* object) const { return static_cast<const std::byte*>(object) + offset; }
};

struct Enumerator {
    std::string_view name; ///< as in C++, without a trailing underscore: "out_of_stock"
    std::string_view text; ///< in JSON and SQL: "OUT_OF_STOCK"
    std::int64_t value;
};

/// The limits of Bounded and Text.
struct Constraint {
    bool has_range = false; ///< integer and real
    std::int64_t minimum = 0, maximum = 0;
    double real_minimum = 0, real_maximum = 0;
    bool has_length = false; ///< string, in Unicode code points
    std::size_t min_length = 0, max_length = std::numeric_limits<std::size_t>::max();
};

/// std::optional and Patch.
struct OptionalOperations {
    const void* (*get)(const void* optional); ///< nullptr without a value
    bool (*is_absent)(const void* optional);  ///< neither a value nor (Patch) an explicit null
    void* (*emplace)(void* optional);         ///< a fresh value
    void (*set_null)(void* optional);         ///< std::optional: as reset
    void (*reset)(void* optional);
};

/// std::vector: elements lie one behind the other, element().size bytes apart.
struct ArrayOperations {
    std::size_t (*size)(const void* array);
    const void* (*data)(const void* array);
    void* (*emplace_back)(void* array);
    void (*clear)(void* array);
};

/// std::map by std::string, in the map's order.
struct MapOperations {
    using Visit = void (*)(void* visitor, std::string_view key, const void* value);
    std::size_t (*size)(const void* map);
    void* (*insert)(void* map, std::string key); ///< a fresh value; nullptr when the key is there already
    void (*for_each)(const void* map, void* visitor, Visit visit);
    void (*clear)(void* map);
};

namespace json {
class Reader;
struct Path;
} // namespace json

/// Kind json: how its values are read (base/json_reader.hpp) and written.
struct JsonOperations {
    bool (*read)(json::Reader& reader, const json::Path& path, void* into);
    void (*write)(std::string& out, const void* value);
};

/// Everything ordinary code needs to know about a type. Constant data, compared by address: one per type and program.
struct TypeDescriptor {
    TypeKind kind{};
    bool is_signed = false;     ///< integer, enumeration
    std::size_t size = 0;       ///< sizeof
    std::string_view name = {}; ///< structure, enumeration: without namespaces, "Order"
    Constraint constraint = {};
    std::span<const FieldDescriptor> fields = {}; ///< structure, in order of declaration
    std::span<const Enumerator> enumerators = {}; ///< enumeration, by value
    const TypeDescriptor* element_type = nullptr; ///< optional, patch, array, map
    const OptionalOperations* optional = nullptr; ///< optional, patch
    const ArrayOperations* array = nullptr;
    const MapOperations* map = nullptr;
    const JsonOperations* json = nullptr;

    /// Requires: kind is optional, patch, array or map.
    constexpr const TypeDescriptor& element() const { return *element_type; }
    /// Whether JSON may leave the field out.
    constexpr bool may_be_absent() const { return kind == TypeKind::optional || kind == TypeKind::patch; }
};

namespace detail {

/// A type that other headers describe themselves: specialised with a function describe().
template <class T>
struct CustomType;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_patch = false;
template <class T>
inline constexpr bool is_patch<Patch<T>> = true;
template <class T>
inline constexpr bool is_array = false;
template <class T>
inline constexpr bool is_array<std::vector<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class T, class Compare>
inline constexpr bool is_map<std::map<std::string, T, Compare>> = true;
template <class T>
inline constexpr bool is_bounded = false;
template <class T, T minimum, T maximum>
inline constexpr bool is_bounded<Bounded<T, minimum, maximum>> = true;
template <class T>
inline constexpr bool is_text = false;
template <std::size_t min_length, std::size_t max_length>
inline constexpr bool is_text<Text<min_length, max_length>> = true;
template <class T>
inline constexpr bool is_custom = requires { CustomType<T>::describe(); };

template <class T>
inline constexpr bool is_character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                                     std::same_as<T, char16_t> || std::same_as<T, char32_t>;
template <class T>
inline constexpr bool is_number = (std::integral<T> && !is_character<T>) || std::same_as<T, double>;

/// Whether T is of a kind that can be described; a struct's fields are checked when its table is made.
template <class T>
consteval bool is_described() {
    if constexpr (is_optional<T> || is_patch<T> || is_array<T>)
        return is_described<typename T::value_type>();
    else if constexpr (is_map<T>)
        return is_described<typename T::mapped_type>();
    else if constexpr (std::is_enum_v<T>)
        return std::is_scoped_enum_v<T>;
    else
        return is_number<T> || is_bounded<T> || is_text<T> || is_custom<T> || std::same_as<T, std::string> ||
               std::same_as<T, Money> || std::same_as<T, Timestamp> || (std::is_class_v<T> && std::is_aggregate_v<T>);
}

template <class T>
consteval TypeDescriptor describe();

} // namespace detail

/// A type with a table: numbers, text, Money, Timestamp, enum class, optionals, vectors, maps by string, constrained
/// types, and plain structs of these.
template <class T>
concept Described = std::same_as<T, std::remove_cvref_t<T>> && detail::is_described<T>();

/// The table of a type: `descriptor_of<Order>.fields[0].json_name`.
template <class T>
inline constexpr TypeDescriptor descriptor_of = detail::describe<T>();

/// The field of a struct with that JSON name ("userId"), or nullptr.
const FieldDescriptor* field_named_json(const TypeDescriptor& type, std::string_view json_name);
/// The field of a struct with that C++ name ("user_id"), or nullptr.
const FieldDescriptor* field_named(const TypeDescriptor& type, std::string_view name);

/// The integer (or an enumeration's underlying value) stored there, by size and signedness. An unsigned 64-bit value
/// comes as its bits.
std::int64_t load_integer(const TypeDescriptor& type, const void* value);
/// Stores a value that fits the type's size.
void store_integer(const TypeDescriptor& type, void* into, std::int64_t value);

/// The enumerator with that UPPER_SNAKE text, or nullptr.
const Enumerator* enumerator_of_text(const TypeDescriptor& type, std::string_view text);
/// The UPPER_SNAKE text of an enumeration value. Throws std::out_of_range when no enumerator has the value (a bug).
std::string_view enum_text(const TypeDescriptor& type, const void* value);
template <class E>
    requires std::is_scoped_enum_v<E>
std::string_view enum_text(E value) {
    return enum_text(descriptor_of<E>, &value);
}
template <class E>
    requires std::is_scoped_enum_v<E>
std::optional<E> enum_of_text(std::string_view text) {
    const auto* found = enumerator_of_text(descriptor_of<E>, text);
    return found ? std::optional<E>(static_cast<E>(found->value)) : std::nullopt;
}

} // namespace flotilla

#include <flotilla/base/descriptor_tables.hpp>
