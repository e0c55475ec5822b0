#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <vector>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/result.hpp>
#include <flotilla/contract/versioned.hpp>
#include <flotilla/store/sql_builder.hpp>
#include <flotilla/store/sql_value.hpp>

/// Tables, queries and statements as constant data: SQL that the compiler puts together, with the types of what goes in
/// and comes out. A service lists what it has beside its migrations (Host::database): each is prepared at the start, so
/// that one that does not fit the tables fails there, by file and line. docs/adr/0009-statements-are-data.md.
namespace flotilla {

/// One SQL text of the sources.
struct DeclaredStatement {
    std::string_view sql;
    const TypeDescriptor* row; ///< what its rows are read into; null: it gives none
    std::source_location where;
};

/// What a table is beside its columns.
struct TableOptions {
    /// The fields that are its key, in the order that find() and remove() take them; none: the first field.
    std::array<std::string_view, 4> key = {};
    /// The integer field that counts how often a row was changed: update() expects and raises it. Empty: none, but that
    /// of a Versioned row.
    std::string_view version = {};
};

/// A table whose columns are the fields of Row: `inline constexpr Table<Order> orders{"orders"};`. Columns that Row
/// does not have are left alone; an insert leaves them to their default. Values: as SqlValue says.
template <class Row>
    requires std::is_aggregate_v<Row> && Described<Row>
class Table {
public:
    explicit consteval Table(std::string_view name, TableOptions options = {},
                             std::source_location where = std::source_location::current())
        : where_(where) {
        if (detail::is_versioned<Row> && options.version.empty()) options.version = "version";
        if (!options.version.empty()) version_ = index_of(options.version);
        if (options.key.front().empty()) options.key.front() = fields().front().name;
        if (version_ >= 0 && fields()[static_cast<std::size_t>(version_)].type->kind != TypeKind::integer)
            detail::the_version_of_a_table_is_an_integer_field();
        for (const auto key : options.key) {
            if (!key.empty()) key_[static_cast<std::size_t>(index_of(key))] = true;
        }
        write_find(name, options);
        write_inserts(name);
        write_update(name, options);
        write_remove(name, options);
    }

    // The statements, whose arguments are the key (find, remove) or the fields in their order (the others).
    constexpr std::string_view find() const { return find_.view(); }
    constexpr std::string_view insert() const { return insert_.view(); }
    constexpr std::string_view try_insert() const { return try_insert_.view(); }
    /// Empty when all fields are the key.
    constexpr std::string_view update() const { return update_.view(); }
    constexpr std::string_view remove() const { return remove_.view(); }
    /// Which field is the version; below 0: none.
    constexpr int version() const { return version_; }

    void list(std::vector<DeclaredStatement>& into) const {
        into.push_back({find(), &descriptor_of<Row>, where_});
        for (const auto sql : {insert(), try_insert(), update(), remove()}) {
            if (!sql.empty()) into.push_back({sql, nullptr, where_});
        }
    }

private:
    static constexpr std::span<const FieldDescriptor> fields() { return descriptor_of<Row>.fields; }
    static consteval int index_of(std::string_view name) {
        for (std::size_t i = 0; i < fields().size(); ++i) {
            if (fields()[i].name == name) return static_cast<int>(i);
        }
        detail::a_table_names_a_field_that_its_row_does_not_have();
        return -1;
    }

    consteval void write_find(std::string_view name, const TableOptions& options) {
        find_ += "SELECT ";
        detail::append_columns(find_, fields());
        find_ += " FROM ";
        find_ += name;
        detail::append_key(find_, options.key);
    }
    consteval void write_inserts(std::string_view name) {
        insert_ += "INSERT INTO ";
        insert_ += name;
        insert_ += " (";
        detail::append_columns(insert_, fields());
        insert_ += ") VALUES (";
        for (std::size_t i = 1; i <= fields().size(); ++i) {
            if (i > 1) insert_ += ", ";
            insert_.parameter(i);
        }
        insert_ += ")";
        try_insert_ += insert_.view();
        try_insert_ += " ON CONFLICT DO NOTHING";
    }
    consteval void write_update(std::string_view name, const TableOptions& options) {
        std::string_view before = " SET ";
        for (std::size_t i = 0; i < fields().size(); ++i) {
            if (key_[i]) continue;
            if (update_.view().empty()) {
                update_ += "UPDATE ";
                update_ += name;
            }
            update_ += before;
            update_.equals(fields()[i].name, i + 1);
            if (static_cast<int>(i) == version_) update_ += " + 1";
            before = ", ";
        }
        if (update_.view().empty()) return;
        before = " WHERE ";
        for (std::size_t i = 0; i < fields().size(); ++i) {
            if (!key_[i] && fields()[i].name != options.version) continue;
            update_ += before;
            update_.equals(fields()[i].name, i + 1);
            before = " AND ";
        }
    }
    consteval void write_remove(std::string_view name, const TableOptions& options) {
        remove_ += "DELETE FROM ";
        remove_ += name;
        detail::append_key(remove_, options.key);
    }

    using Text = detail::SqlBuilder<detail::statement_capacity(descriptor_of<Row>.fields)>;
    std::source_location where_;
    int version_ = -1;
    std::array<bool, descriptor_of<Row>.fields.size()> key_{};
    Text find_, insert_, try_insert_, update_, remove_;
};

/// A query: `inline constexpr Query<Order, std::string> of_user{"FROM orders WHERE user_id = $1 ORDER BY
/// created_at"};`. Row is a described struct, whose columns the compiler puts before FROM, or a scalar. Arguments are
/// the types of $1, $2, ... What needs other columns is written whole, from SELECT or WITH on.
template <class Row, class... Arguments>
    requires Described<Row>
class Query {
public:
    explicit consteval Query(std::string_view sql, std::source_location where = std::source_location::current())
        : where_(where) {
        if (sql.starts_with("FROM ")) {
            if (descriptor_of<Row>.kind != TypeKind::structure) detail::a_query_for_a_scalar_is_written_whole();
            text_ += "SELECT ";
            detail::append_columns(text_, descriptor_of<Row>.fields);
            text_ += " ";
        } else if (!sql.starts_with("SELECT ") && !sql.starts_with("WITH ")) {
            detail::a_query_begins_with_FROM_SELECT_or_WITH();
        }
        text_ += sql;
        if (!detail::has_parameters(sql, sizeof...(Arguments)))
            detail::a_statement_has_as_many_parameters_as_arguments();
    }

    constexpr std::string_view sql() const { return text_.view(); }
    void list(std::vector<DeclaredStatement>& into) const { into.push_back({sql(), &descriptor_of<Row>, where_}); }

private:
    std::source_location where_;
    detail::SqlBuilder<detail::kQueryBytesMax> text_;
};

/// A statement without rows that a table cannot say. Arguments are the types of $1, $2, ...
template <class... Arguments>
class Statement {
public:
    explicit consteval Statement(std::string_view sql, std::source_location where = std::source_location::current())
        : sql_(sql), where_(where) {
        if (!sql.starts_with("INSERT INTO ") && !sql.starts_with("UPDATE ") && !sql.starts_with("DELETE FROM ") &&
            !sql.starts_with("WITH ") && !sql.starts_with("CREATE ")) {
            detail::a_statement_begins_with_INSERT_INTO_UPDATE_DELETE_FROM_WITH_or_CREATE();
        }
        if (!detail::has_parameters(sql, sizeof...(Arguments)))
            detail::a_statement_has_as_many_parameters_as_arguments();
    }

    constexpr std::string_view sql() const { return sql_; }
    void list(std::vector<DeclaredStatement>& into) const { into.push_back({sql_, nullptr, where_}); }

private:
    std::string_view sql_;
    std::source_location where_;
};

/// A table, query or statement in a list of them: `{orders, of_user}`. It must be constant data, as these are.
class Declared {
public:
    template <class T>
        requires requires(const T& t, std::vector<DeclaredStatement>& into) { t.list(into); }
    Declared(const T& declared)
        : declared_(&declared), list_([](const void* object, std::vector<DeclaredStatement>& into) {
              static_cast<const T*>(object)->list(into);
          }) {}
    void list(std::vector<DeclaredStatement>& into) const { list_(declared_, into); }

private:
    const void* declared_;
    void (*list_)(const void*, std::vector<DeclaredStatement>&);
};

/// "orders.hpp:12: what: the SQL", for a statement that a database cannot prepare, or that gives other columns than its
/// row has.
Error error_in(const DeclaredStatement& statement, std::string_view what);
/// Whether a row with these columns can be read. Errors: internal, by file and line.
Result<void> check_columns(const DeclaredStatement& statement, std::span<const std::string> columns);

/// The fields of a row as the arguments of a statement, into as many places that hold NULL.
void arguments_of(const TypeDescriptor& type, const void* row, std::span<SqlValue> into);

} // namespace flotilla
