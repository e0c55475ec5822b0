#include <flotilla/service/json_schema.hpp>

#include <algorithm>
#include <limits>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// Numbers are never narrowed silently: where no narrower range is declared it is the C++ type's, since a `format` is
/// only a remark to most validators.
void add_integer_range(bj::object& schema, const TypeDescriptor& type) {
    const auto& constraint = type.constraint;
    const auto bits = static_cast<int>(type.size * 8);
    if (constraint.has_range) {
        schema["minimum"] = constraint.minimum;
        schema["maximum"] = constraint.maximum;
    } else if (type.is_signed) {
        const auto maximum = static_cast<std::int64_t>(~std::uint64_t{0} >> (65 - bits));
        schema["minimum"] = -maximum - 1;
        schema["maximum"] = maximum;
    } else {
        schema["minimum"] = 0;
        schema["maximum"] = ~std::uint64_t{0} >> (64 - bits);
    }
}

bj::object integer_schema(const TypeDescriptor& type) {
    bj::object schema{{"type", "integer"}};
    if (type.is_signed && type.size == sizeof(std::int32_t)) schema["format"] = "int32";
    if (type.is_signed && type.size == sizeof(std::int64_t)) schema["format"] = "int64";
    add_integer_range(schema, type);
    return schema;
}

/// Whole units, which every validator reads exactly; the last cents are left to us.
bj::object money_schema() {
    constexpr auto kMaximum = std::numeric_limits<std::int64_t>::max() / 100;
    return {{"type", "number"}, {"multipleOf", 0.01}, {"minimum", -kMaximum}, {"maximum", kMaximum}};
}

bj::object real_schema(const TypeDescriptor& type) {
    const auto& constraint = type.constraint;
    constexpr auto kMaximum = std::numeric_limits<double>::max();
    return {{"type", "number"},
            {"format", "double"},
            {"minimum", constraint.has_range ? constraint.real_minimum : -kMaximum},
            {"maximum", constraint.has_range ? constraint.real_maximum : kMaximum}};
}

bj::object string_schema(const TypeDescriptor& type) {
    bj::object schema{{"type", "string"}};
    const auto& constraint = type.constraint;
    if (!constraint.has_length) return schema;
    if (constraint.min_length > 0) schema["minLength"] = constraint.min_length;
    if (constraint.max_length != std::numeric_limits<std::size_t>::max()) schema["maxLength"] = constraint.max_length;
    return schema;
}

/// RFC 3339 allows fractions of any length; we read nine digits.
bj::object timestamp_schema() {
    return {{"type", "string"},
            {"format", "date-time"},
            {"pattern", "^[0-9-]{10}[Tt][0-9:]{8}(\\.[0-9]{1,9})?([Zz]|[+-][0-9:]{5})$"}};
}

bj::object enumeration_schema(const TypeDescriptor& type) {
    bj::array texts;
    for (const auto& enumerator : type.enumerators)
        texts.emplace_back(enumerator.text);
    return {{"type", "string"}, {"enum", std::move(texts)}};
}

} // namespace

JsonSchemas::JsonSchemas(std::span<const std::string_view> reserved) {
    for (const auto name : reserved)
        definitions_[std::string(name)] = {};
}

bj::object JsonSchemas::schema_of(const TypeDescriptor& type) {
    switch (type.kind) {
    case TypeKind::boolean:
        return {{"type", "boolean"}};
    case TypeKind::integer:
        return integer_schema(type);
    case TypeKind::real:
        return real_schema(type);
    case TypeKind::string:
        return string_schema(type);
    case TypeKind::money:
        return money_schema();
    case TypeKind::timestamp:
        return timestamp_schema();
    case TypeKind::optional:
    case TypeKind::patch:
        return nullable(type.element());
    case TypeKind::array:
        return {{"type", "array"}, {"items", schema_of(type.element())}};
    case TypeKind::map:
        return {{"type", "object"}, {"additionalProperties", schema_of(type.element())}};
    case TypeKind::json:
        return {};
    case TypeKind::enumeration:
    case TypeKind::structure:
        break;
    }
    return {{"$ref", "#/components/schemas/" + name_of(type)}};
}

bj::object JsonSchemas::nullable(const TypeDescriptor& type) {
    auto schema = schema_of(type);
    if (schema.empty()) return schema; // any JSON is null, too
    auto* name = schema.if_contains("type");
    if (name && name->is_string()) {
        *name = bj::array{*name, "null"};
        return schema;
    }
    return {{"anyOf", bj::array{std::move(schema), bj::object{{"type", "null"}}}}};
}

bj::object JsonSchemas::object_of(std::span<const FieldDescriptor* const> fields) {
    bj::object properties;
    bj::array required;
    for (const auto* field : fields) {
        // What may be left out is left out, not null; only a Patch tells the two apart.
        const bool optional = field->type->kind == TypeKind::optional;
        properties[field->json_name] = schema_of(optional ? field->type->element() : *field->type);
        if (!field->type->may_be_absent()) required.emplace_back(field->json_name);
    }
    bj::object schema{{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) schema["required"] = std::move(required);
    return schema;
}

bj::object JsonSchemas::definition_of(const TypeDescriptor& type) {
    if (type.kind == TypeKind::enumeration) return enumeration_schema(type);
    std::vector<const FieldDescriptor*> fields;
    for (const auto& field : type.fields)
        fields.push_back(&field);
    return object_of(fields);
}

std::string JsonSchemas::name_of(const TypeDescriptor& type) {
    if (const auto known = names_.find(&type); known != names_.end()) return known->second;
    const auto wanted = component_name(type.name);
    auto name = wanted;
    for (int number = 2; definitions_.contains(name); ++number)
        name = wanted + std::to_string(number);
    names_[&type] = name; // before its fields are looked at: they may refer to it
    definitions_[name] = {};
    definitions_[name] = definition_of(type);
    return name;
}

bj::object JsonSchemas::components() const {
    bj::object schemas;
    for (const auto& [name, definition] : definitions_) {
        if (!definition.empty()) schemas[name] = definition; // the reserved names are the document's own
    }
    return schemas;
}

std::string operation_name(std::string_view verb, std::string_view text) {
    std::string name(verb);
    bool begins = true;
    for (const char c : text) {
        if (c == '{') name += "By";
        if (!is_letter_or_digit(c)) {
            begins = true;
        } else {
            name += begins && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
            begins = false;
        }
    }
    return name;
}

std::string component_name(std::string_view text) {
    std::string name(text);
    std::ranges::replace_if(
        name, [](char c) { return !is_letter_or_digit(c) && c != '.' && c != '-' && c != '_'; }, '_');
    return name;
}

} // namespace flotilla
