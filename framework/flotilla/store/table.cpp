#include <flotilla/store/table.hpp>

#include <algorithm>
#include <memory>

#include <flotilla/store/sql_text.hpp>

namespace flotilla {

Error error_in(const DeclaredStatement& statement, std::string_view what) {
    return {Kind::internal, std::string(statement.where.file_name()) + ":" + std::to_string(statement.where.line()) +
                                ": " + std::string(what) + ": " + sql::shortened(statement.sql)};
}

Result<void> check_columns(const DeclaredStatement& statement, std::span<const std::string> columns) {
    if (statement.row == nullptr) {
        if (columns.empty()) return {};
        return error_in(statement, "it gives rows, so it is a Query");
    }
    if (statement.row->kind != TypeKind::structure) {
        if (columns.size() == 1) return {};
        return error_in(statement, "expected one column, found " + std::to_string(columns.size()));
    }
    for (const auto& field : statement.row->fields) {
        if (std::ranges::find(columns, field.name) == columns.end())
            return error_in(statement, "no column for the field " + std::string(field.name));
    }
    for (const auto& column : columns) {
        if (!field_named(*statement.row, column)) return error_in(statement, "no field for the column " + column);
    }
    if (columns.size() == statement.row->fields.size()) return {};
    return error_in(statement, "a column appears twice");
}

void arguments_of(const TypeDescriptor& type, const void* row, std::span<SqlValue> into) {
    for (std::size_t i = 0; i < into.size(); ++i)
        std::construct_at(&into[i], *type.fields[i].type, type.fields[i].in(row)); // NULL leaves nothing behind
}

} // namespace flotilla
