#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/money.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla {

/// One argument of a statement: a view, alive for the call. Money is stored as BIGINT cents, Timestamp as BIGINT
/// microseconds, bool as 0/1, an enumeration as its UPPER_SNAKE name, structs and arrays as JSON text.
class SqlValue {
public:
    using Storage = std::variant<std::monostate, std::int64_t, double, std::string_view, std::string>;

    SqlValue() = default; ///< NULL
    SqlValue(std::nullopt_t) {}
    SqlValue(bool v) : storage_(static_cast<std::int64_t>(v)) {}
    template <std::integral I>
    SqlValue(I v) : storage_(static_cast<std::int64_t>(v)) {}
    SqlValue(double v) : storage_(v) {}
    SqlValue(std::string_view v) : storage_(v) {}
    SqlValue(const std::string& v) : storage_(std::string_view(v)) {}
    SqlValue(const char* v) : storage_(std::string_view(v)) {}
    SqlValue(Money v) : storage_(v.cents()) {}
    SqlValue(Timestamp v) : storage_(v.microseconds()) {}
    template <class T>
    SqlValue(const std::optional<T>& v) {
        if (v) *this = SqlValue(*v);
    }
    /// Everything else that has a descriptor: enumerations, constrained types, structs, arrays.
    template <class T>
        requires(!std::integral<T> && !std::convertible_to<const T&, std::string_view> && Described<T>)
    SqlValue(const T& v) : SqlValue(descriptor_of<T>, &v) {}
    SqlValue(const TypeDescriptor& type, const void* value);

    const Storage& storage() const { return storage_; }
    /// A copy that owns its text.
    SqlValue owning() const;

private:
    Storage storage_;
};

enum class SqlType : unsigned char { null, integer, real, text };

/// The current row of a result. Valid inside the callback it is given to.
class SqlRow {
public:
    virtual ~SqlRow() = default;
    virtual int columns() const = 0;
    virtual std::string_view column_name(int column) const = 0;
    virtual SqlType type(int column) const = 0;
    virtual std::int64_t integer(int column) const = 0;
    virtual double real(int column) const = 0;
    virtual std::string_view text(int column) const = 0;
};

/// Reads a row into a described struct by column name (snake_case, as the fields are spelled in C++), or the only
/// column into a scalar. Every field needs a column; a column without a field is an error, as is NULL for a field that
/// is not optional and a value of another type. Errors: internal, naming the column.
Result<void> decode_row(const SqlRow& row, const TypeDescriptor& type, void* into);

} // namespace flotilla
