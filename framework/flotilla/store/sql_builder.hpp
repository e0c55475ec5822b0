#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <flotilla/base/descriptor.hpp>

/// How the compiler puts SQL together; see table.hpp. What is wrong is a call of a function that says so and that no
/// constant expression may call: the compiler shows its name.
namespace flotilla::detail {

void a_statement_is_longer_than_a_query_may_be();
void a_table_names_a_field_that_its_row_does_not_have();
void the_version_of_a_table_is_an_integer_field();
void a_query_for_a_scalar_is_written_whole();
void a_query_begins_with_FROM_SELECT_or_WITH();
void a_statement_begins_with_INSERT_INTO_UPDATE_DELETE_FROM_WITH_or_CREATE();
void a_statement_has_as_many_parameters_as_arguments();

inline constexpr std::size_t kTableNameBytesMax = 63; ///< PostgreSQL's
inline constexpr std::size_t kQueryBytesMax = 1000;

/// Room for a text, held in place.
template <std::size_t capacity>
class SqlBuilder {
public:
    constexpr std::string_view view() const { return {characters_.data(), size_}; }
    constexpr SqlBuilder& operator+=(std::string_view text) {
        if (text.size() > capacity - size_) a_statement_is_longer_than_a_query_may_be();
        for (const char c : text)
            characters_[size_++] = c;
        return *this;
    }
    /// "$12"
    constexpr void parameter(std::size_t number) {
        *this += "$";
        for (std::size_t unit = number < 10 ? 1 : number < 100 ? 10 : 100; unit > 0; unit /= 10) {
            const char digit = static_cast<char>('0' + number / unit % 10);
            *this += std::string_view(&digit, 1);
        }
    }
    /// "name = $12"
    constexpr void equals(std::string_view name, std::size_t number) {
        *this += name;
        *this += " = ";
        parameter(number);
    }

private:
    std::array<char, capacity> characters_{};
    std::size_t size_ = 0;
};

/// How long a statement over a table with these columns may become: one names each column at most twice.
consteval std::size_t statement_capacity(std::span<const FieldDescriptor> fields) {
    std::size_t bytes = kTableNameBytesMax + 64;
    for (const auto& field : fields)
        bytes += 2 * field.name.size() + 20;
    return bytes;
}

/// "id, user_id"
template <std::size_t capacity>
constexpr void append_columns(SqlBuilder<capacity>& sql, std::span<const FieldDescriptor> fields) {
    std::string_view before;
    for (const auto& field : fields) {
        sql += before;
        sql += field.name;
        before = ", ";
    }
}

/// " WHERE id = $1"
template <std::size_t capacity>
constexpr void append_key(SqlBuilder<capacity>& sql, std::span<const std::string_view> key) {
    std::size_t number = 0;
    for (const auto name : key) {
        if (name.empty()) continue;
        sql += number == 0 ? " WHERE " : " AND ";
        sql.equals(name, ++number);
    }
}

/// Whether the parameters of a text are $1 .. $count, each at least once. Quoted text is left out.
constexpr bool has_parameters(std::string_view sql, std::size_t count) {
    std::array<bool, 100> used{};
    std::size_t found = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < sql.size(); ++i) {
        if (sql[i] == '\'') quoted = !quoted;
        if (quoted || sql[i] != '$') continue;
        std::size_t number = 0;
        while (i + 1 < sql.size() && sql[i + 1] >= '0' && sql[i + 1] <= '9')
            number = number * 10 + static_cast<std::size_t>(sql[++i] - '0');
        if (number == 0 || number > count || number >= used.size()) return false;
        if (!used[number]) ++found;
        used[number] = true;
    }
    return found == count;
}

} // namespace flotilla::detail
