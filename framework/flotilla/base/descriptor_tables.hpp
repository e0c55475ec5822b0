#pragma once

// How tables are made; part of descriptor.hpp, which includes this file.
#include <flotilla/base/descriptor.hpp>

namespace flotilla::detail {

template <class O>
inline constexpr OptionalOperations optional_operations{
    .get = [](const void* o) -> const void* {
        const auto& optional = *static_cast<const O*>(o);
        return optional.has_value() ? &*optional : nullptr;
    },
    .is_absent =
        [](const void* o) {
            if constexpr (is_patch<O>)
                return static_cast<const O*>(o)->is_absent();
            else
                return !static_cast<const O*>(o)->has_value();
        },
    .emplace = [](void* o) -> void* { return &static_cast<O*>(o)->emplace(); },
    .set_null =
        [](void* o) {
            if constexpr (is_patch<O>)
                static_cast<O*>(o)->set_null();
            else
                static_cast<O*>(o)->reset();
        },
    .reset = [](void* o) { static_cast<O*>(o)->reset(); },
};

template <class V>
inline constexpr ArrayOperations array_operations{
    .size = [](const void* v) { return static_cast<const V*>(v)->size(); },
    .data = [](const void* v) -> const void* { return static_cast<const V*>(v)->data(); },
    .emplace_back = [](void* v) -> void* { return &static_cast<V*>(v)->emplace_back(); },
    .clear = [](void* v) { static_cast<V*>(v)->clear(); },
};

template <class M>
inline constexpr MapOperations map_operations{
    .size = [](const void* m) { return static_cast<const M*>(m)->size(); },
    .insert = [](void* m, std::string key) -> void* {
        const auto [at, inserted] = static_cast<M*>(m)->try_emplace(std::move(key));
        return inserted ? &at->second : nullptr;
    },
    .for_each =
        [](const void* m, void* visitor, MapOperations::Visit visit) {
            for (const auto& [key, value] : *static_cast<const M*>(m))
                visit(visitor, key, &value);
        },
    .clear = [](void* m) { static_cast<M*>(m)->clear(); },
};

constexpr std::size_t align_up(std::size_t offset, std::size_t alignment) {
    return (offset + alignment - 1) / alignment * alignment;
}

template <class T, std::size_t... I>
consteval auto make_fields(std::index_sequence<I...>) {
    static_assert((is_described<MemberType<I, T>>() && ...), "every field is of a kind that descriptor.hpp lists");
    std::array<FieldDescriptor, sizeof...(I)> fields{};
    std::size_t end = 0;
    const auto add = [&]<class Member>(std::size_t i, const TypeDescriptor* type, std::type_identity<Member>) {
        const auto offset = align_up(end, alignof(Member));
        end = offset + sizeof(Member);
        fields[i] = {FieldNames<T>::kPairs.cpp(i), FieldNames<T>::kPairs.converted(i), offset, type};
    };
    (add(I, &descriptor_of<MemberType<I, T>>, std::type_identity<MemberType<I, T>>{}), ...);
    if (align_up(end, alignof(T)) != sizeof(T))
        throw "the struct is not laid out as its fields say (alignas, bit-fields, or bases?)";
    for (std::size_t i = 0; i < fields.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            if (fields[i].json_name == fields[k].json_name) throw "two fields have the same JSON name";
        }
    }
    return fields;
}
template <class T>
inline constexpr auto fields_of = make_fields<T>(std::make_index_sequence<member_count<T>>());

template <class E>
inline constexpr auto enumerators_of = [] {
    using Names = EnumeratorNames<E>;
    static_assert(Names::kCount > 0, "an enumeration has enumerators with values from 0 to 63");
    std::array<Enumerator, Names::kCount> enumerators{};
    for (std::size_t i = 0; i < Names::kCount; ++i) {
        enumerators[i] = {Names::kPairs.cpp(i), Names::kPairs.converted(i), Names::kValues[i]};
    }
    return enumerators;
}();

template <class T>
consteval TypeDescriptor describe_number() {
    if constexpr (std::same_as<T, bool>)
        return {.kind = TypeKind::boolean, .size = sizeof(T)};
    else if constexpr (std::same_as<T, double>)
        return {.kind = TypeKind::real, .size = sizeof(T)};
    else
        return {.kind = TypeKind::integer, .is_signed = std::is_signed_v<T>, .size = sizeof(T)};
}

template <class T, T minimum, T maximum>
consteval TypeDescriptor describe_bounded(std::type_identity<Bounded<T, minimum, maximum>>) {
    static_assert(sizeof(Bounded<T, minimum, maximum>) == sizeof(T) &&
                  std::is_standard_layout_v<Bounded<T, minimum, maximum>>);
    auto type = describe_number<T>();
    type.constraint.has_range = true;
    if constexpr (std::integral<T>) {
        static_assert(std::in_range<std::int64_t>(minimum) && std::in_range<std::int64_t>(maximum),
                      "bounds fit 64 bits signed");
        type.constraint.minimum = minimum;
        type.constraint.maximum = maximum;
    } else {
        type.constraint.real_minimum = minimum;
        type.constraint.real_maximum = maximum;
    }
    return type;
}

template <class T>
consteval TypeDescriptor describe_text() {
    static_assert(sizeof(T) == sizeof(std::string) && std::is_standard_layout_v<T>);
    return {.kind = TypeKind::string,
            .size = sizeof(T),
            .constraint = {.has_length = true, .min_length = T::kMinLength, .max_length = T::kMaxLength}};
}

template <class T>
consteval TypeDescriptor describe_enumeration() {
    return {.kind = TypeKind::enumeration,
            .is_signed = std::is_signed_v<std::underlying_type_t<T>>,
            .size = sizeof(T),
            .name = TypeName<T>::kName,
            .enumerators = enumerators_of<T>};
}

template <class T>
consteval TypeDescriptor describe_structure() {
    static_assert(member_count<T> <= kFieldsMax, "a struct has at most kFieldsMax fields");
    TypeDescriptor type{.kind = TypeKind::structure, .size = sizeof(T), .name = TypeName<T>::kName};
    if constexpr (member_count<T> > 0) type.fields = fields_of<T>;
    return type;
}

template <class T>
consteval TypeDescriptor describe() {
    static_assert(Described<T>,
                  "not a kind of type that descriptor.hpp lists (for boost::json::value include base/json_value.hpp)");
    if constexpr (is_custom<T>)
        return CustomType<T>::describe();
    else if constexpr (is_number<T>)
        return describe_number<T>();
    else if constexpr (is_bounded<T>)
        return describe_bounded(std::type_identity<T>{});
    else if constexpr (is_text<T>)
        return describe_text<T>();
    else if constexpr (std::same_as<T, std::string>)
        return {.kind = TypeKind::string, .size = sizeof(T)};
    else if constexpr (std::same_as<T, Money>)
        return {.kind = TypeKind::money, .size = sizeof(T)};
    else if constexpr (std::same_as<T, Timestamp>)
        return {.kind = TypeKind::timestamp, .size = sizeof(T)};
    else if constexpr (std::is_enum_v<T>)
        return describe_enumeration<T>();
    else if constexpr (is_optional<T> || is_patch<T>)
        return {.kind = is_patch<T> ? TypeKind::patch : TypeKind::optional,
                .size = sizeof(T),
                .element_type = &descriptor_of<typename T::value_type>,
                .optional = &optional_operations<T>};
    else if constexpr (is_array<T>) {
        static_assert(!std::same_as<typename T::value_type, bool>, "std::vector<bool> has no elements to point at");
        return {.kind = TypeKind::array,
                .size = sizeof(T),
                .element_type = &descriptor_of<typename T::value_type>,
                .array = &array_operations<T>};
    } else if constexpr (is_map<T>)
        return {.kind = TypeKind::map,
                .size = sizeof(T),
                .element_type = &descriptor_of<typename T::mapped_type>,
                .map = &map_operations<T>};
    else
        return describe_structure<T>();
}

} // namespace flotilla::detail
