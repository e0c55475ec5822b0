#include <flotilla/base/json.hpp>
#include <flotilla/base/text.hpp>
#include <flotilla/store/sql_value.hpp>

namespace flotilla {
namespace {

std::string_view name(SqlType type) {
    switch (type) {
    case SqlType::null:
        return "NULL";
    case SqlType::integer:
        return "an integer";
    case SqlType::real:
        return "a real number";
    case SqlType::text:
        break;
    }
    return "text";
}

Error bad_column(const SqlRow& row, int column, std::string_view problem) {
    return {Kind::internal, "column " + std::string(row.column_name(column)) + ": " + std::string(problem)};
}

Result<void> expect(const SqlRow& row, int column, SqlType expected) {
    const auto found = row.type(column);
    if (found == expected) return {};
    return bad_column(row, column, "expected " + std::string(name(expected)) + ", found " + std::string(name(found)));
}

bool fits(const TypeDescriptor& type, std::int64_t value) {
    if (type.constraint.has_range && (value < type.constraint.minimum || value > type.constraint.maximum)) return false;
    // An unsigned 64-bit value is stored as its bits.
    if (type.size == sizeof(std::int64_t)) return true;
    const int bits = static_cast<int>(type.size) * 8;
    const std::int64_t above = std::int64_t{1} << (type.is_signed ? bits - 1 : bits);
    return value < above && value >= (type.is_signed ? -above : 0);
}

Result<void> decode_integer(const SqlRow& row, int column, const TypeDescriptor& type, void* into) {
    if (auto ok = expect(row, column, SqlType::integer); !ok) return ok;
    const auto value = row.integer(column);
    switch (type.kind) {
    case TypeKind::boolean:
        if (value != 0 && value != 1) return bad_column(row, column, "expected 0 or 1, found " + std::to_string(value));
        *static_cast<bool*>(into) = value == 1;
        return {};
    case TypeKind::money:
        *static_cast<Money*>(into) = Money::from_cents(value);
        return {};
    case TypeKind::timestamp:
        *static_cast<Timestamp*>(into) = Timestamp(value);
        return {};
    default:
        break;
    }
    if (!fits(type, value)) return bad_column(row, column, std::to_string(value) + " does not fit the field");
    store_integer(type, into, value);
    return {};
}

Result<void> decode_real(const SqlRow& row, int column, const TypeDescriptor& type, void* into) {
    if (row.type(column) != SqlType::integer) {
        if (auto ok = expect(row, column, SqlType::real); !ok) return ok;
    }
    const double value = row.real(column);
    const auto& constraint = type.constraint;
    if (constraint.has_range && !(value >= constraint.real_minimum && value <= constraint.real_maximum)) {
        return bad_column(row, column, std::to_string(value) + " does not fit the field");
    }
    *static_cast<double*>(into) = value;
    return {};
}

Result<void> decode_text(const SqlRow& row, int column, const TypeDescriptor& type, void* into) {
    if (auto ok = expect(row, column, SqlType::text); !ok) return ok;
    const auto text = row.text(column);
    if (type.kind == TypeKind::string) {
        const auto& constraint = type.constraint;
        if (constraint.has_length) {
            const auto length = code_points(text);
            if (length < constraint.min_length || length > constraint.max_length) {
                return bad_column(row, column,
                                  "a text of " + std::to_string(length) + " characters does not fit the field");
            }
        }
        static_cast<std::string*>(into)->assign(text);
        return {};
    }
    if (type.kind == TypeKind::enumeration) {
        const auto* found = enumerator_of_text(type, text);
        if (!found) return bad_column(row, column, std::string(text) + " is no value of " + std::string(type.name));
        store_integer(type, into, found->value);
        return {};
    }
    auto parsed = json::parse_into(text, type, into);
    if (!parsed) return bad_column(row, column, parsed.error().message());
    return {};
}

Result<void> decode_column(const SqlRow& row, int column, const TypeDescriptor& type, void* into) {
    const bool is_null = row.type(column) == SqlType::null;
    switch (type.kind) {
    case TypeKind::optional:
    case TypeKind::patch:
        if (!is_null) return decode_column(row, column, type.element(), type.optional->emplace(into));
        type.optional->set_null(into);
        return {};
    case TypeKind::boolean:
    case TypeKind::integer:
    case TypeKind::money:
    case TypeKind::timestamp:
        if (!is_null) return decode_integer(row, column, type, into);
        break;
    case TypeKind::real:
        if (!is_null) return decode_real(row, column, type, into);
        break;
    default:
        if (!is_null) return decode_text(row, column, type, into);
    }
    return bad_column(row, column, "NULL for a field that is not optional");
}

/// Columns usually come in the order of the fields, so look there first.
int column_named(const SqlRow& row, std::string_view name, int expected) {
    const int columns = row.columns();
    if (expected < columns && row.column_name(expected) == name) return expected;
    for (int column = 0; column < columns; ++column) {
        if (row.column_name(column) == name) return column;
    }
    return -1;
}

Error surplus_column(const SqlRow& row, const TypeDescriptor& type) {
    for (int column = 0; column < row.columns(); ++column) {
        const auto name = row.column_name(column);
        if (!field_named(type, name)) return bad_column(row, column, "no such field in " + std::string(type.name));
        if (column_named(row, name, 0) != column) return bad_column(row, column, "appears twice");
    }
    return {Kind::internal, "a row has more columns than " + std::string(type.name) + " has fields"};
}

Result<void> decode_structure(const SqlRow& row, const TypeDescriptor& type, void* into) {
    int expected = 0;
    for (const auto& field : type.fields) {
        const int column = column_named(row, field.name, expected++);
        if (column < 0)
            return Error(Kind::internal,
                         "no column for field " + std::string(field.name) + " of " + std::string(type.name));
        if (auto decoded = decode_column(row, column, *field.type, field.in(into)); !decoded) return decoded;
    }
    if (static_cast<std::size_t>(row.columns()) != type.fields.size()) return surplus_column(row, type);
    return {};
}

} // namespace

Result<void> decode_row(const SqlRow& row, const TypeDescriptor& type, void* into) {
    if (type.kind == TypeKind::structure) return decode_structure(row, type, into);
    if (row.columns() != 1) {
        return Error(Kind::internal, "expected one column, found " + std::to_string(row.columns()));
    }
    return decode_column(row, 0, type, into);
}

} // namespace flotilla
