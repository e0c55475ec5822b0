#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/pfr/core.hpp>
#include <boost/pfr/tuple_size.hpp>

#include <flotilla/base/ascii.hpp>

/// Names of types, fields and enumerators, taken at compile time from the compiler's text for a function
/// (Clang's __PRETTY_FUNCTION__) and copied into arrays of their own, so that the long texts stay out of binaries.
namespace flotilla::detail {

/// Whether the aggregate takes so many initialisers.
template <class T, std::size_t... I>
consteval bool takes_initialisers(std::index_sequence<I...>) {
    return requires { T{boost::pfr::detail::ubiq_lref_constructor{I}...}; };
}

template <class T, std::size_t known = 0>
consteval std::size_t count_members() {
    if constexpr (takes_initialisers<T>(std::make_index_sequence<known + 1>()))
        return count_members<T, known + 1>();
    else
        return known;
}

/// How many members an aggregate has. Boost.PFR's own search begins at four per byte of the struct, which was most of
/// what a description costs the compiler.
template <class T>
inline constexpr std::size_t member_count = count_members<T>();

/// References to the members, as Boost.PFR ties them.
template <class T>
constexpr auto tie_members(const T& object) {
    return boost::pfr::detail::tie_as_tuple(object, boost::pfr::detail::size_t_<member_count<T>>{});
}
template <std::size_t I, class T>
using MemberType =
    std::remove_cvref_t<decltype(boost::pfr::detail::sequence_tuple::get<I>(tie_members(std::declval<const T&>())))>;

template <class T>
struct Storage {
    const T value;
};

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-internal"
#pragma clang diagnostic ignored "-Wundefined-var-template"
/// Declared, never defined: only the addresses of its members are used, and only at compile time.
template <class T>
extern const Storage<T> fake;

template <class T>
consteval std::string_view pretty_type() {
    return __PRETTY_FUNCTION__; // "... [T = order::Order]"
}
template <auto... P>
consteval std::string_view pretty_values() {
    return __PRETTY_FUNCTION__; // "... [P = <&fake.value.id, &fake.value.user_id>]", "... [P = <Status::open,
                                // (Status)1>]"
}

template <class T>
consteval std::string_view pretty_fields() {
    return []<std::size_t... I>(std::index_sequence<I...>) {
        constexpr auto members = tie_members(fake<T>.value);
        return pretty_values<std::addressof(boost::pfr::detail::sequence_tuple::get<I>(members))...>();
    }(std::make_index_sequence<member_count<T>>());
}
#pragma clang diagnostic pop

template <class E>
consteval std::string_view pretty_enumerators() {
    return []<std::size_t... I>(std::index_sequence<I...>) {
        return pretty_values<static_cast<E>(I)...>();
    }(std::make_index_sequence<64>());
}

constexpr bool is_identifier(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The last identifier of each of `count` entries of "... [P = <a, b, c>]".
template <std::size_t count>
consteval std::array<std::string_view, count> last_identifiers(std::string_view pretty) {
    std::array<std::string_view, count> names{};
    auto list = pretty.substr(pretty.find("[P = <") + 6);
    std::size_t entry = 0;
    int depth = 0;
    for (std::size_t at = 0; entry < count; ++at) {
        const char c = list[at];
        if (depth == 0 && (c == ',' || c == '>')) {
            std::size_t begin = at;
            while (begin > 0 && is_identifier(list[begin - 1]))
                --begin;
            names[entry++] = list.substr(begin, at - begin);
        } else if (c == '(' || c == '<' || c == '{') {
            ++depth;
        } else if (c == ')' || c == '>' || c == '}') {
            --depth;
        }
    }
    return names;
}

/// A short text in a constant of its own size.
template <std::size_t capacity>
struct FixedText {
    std::array<char, capacity> chars{};
    std::size_t size = 0;

    constexpr void push(char c) { chars[size++] = c; }
    constexpr std::string_view view() const { return {chars.data(), size}; }
};

constexpr std::string_view without_trailing_underscore(std::string_view name) {
    if (name.size() > 1 && name.back() == '_') name.remove_suffix(1);
    return name;
}

/// user_id -> userId. Appends to out.
template <std::size_t capacity>
constexpr void append_camel_case(FixedText<capacity>& out, std::string_view name) {
    const auto start = out.size;
    bool raise = false;
    for (const char c : without_trailing_underscore(name)) {
        if (c == '_' && out.size > start) {
            raise = true;
        } else {
            out.push(raise ? ascii_upper(c) : c);
            raise = false;
        }
    }
}

/// out_of_stock, outOfStock, OutOfStock -> OUT_OF_STOCK. Appends to out.
template <std::size_t capacity>
constexpr void append_upper_snake(FixedText<capacity>& out, std::string_view name) {
    char previous = 0;
    for (const char c : without_trailing_underscore(name)) {
        if (is_ascii_upper(c) && previous != 0 && !is_ascii_upper(previous) && previous != '_') out.push('_');
        out.push(ascii_upper(c));
        previous = c;
    }
}

/// The name of a type without its namespaces; template arguments join in: Page<order::Order> -> PageOrder.
template <class T>
consteval auto make_type_name() {
    constexpr std::string_view pretty = pretty_type<T>();
    constexpr auto begin = pretty.find("[T = ") + 5;
    constexpr std::string_view full = pretty.substr(begin, pretty.size() - 1 - begin);
    FixedText<full.size() + 1> name;
    std::size_t segment = 0;
    for (std::size_t i = 0; i < full.size(); ++i) {
        const char c = full[i];
        if (is_identifier(c)) {
            name.push(segment > 0 && name.size == segment ? ascii_upper(c) : c);
        } else if (c == ':') {
            name.size = segment;
        } else if (c == '<' || c == ',') {
            segment = name.size;
        }
    }
    return name;
}

template <class T>
struct TypeName {
    static constexpr auto kWide = make_type_name<T>();
    static constexpr auto kText = [] {
        std::array<char, kWide.size> chars{};
        for (std::size_t i = 0; i < kWide.size; ++i)
            chars[i] = kWide.chars[i];
        return chars;
    }();
    static constexpr std::string_view kName{kText.data(), kText.size()};
};

/// The two spellings of a list of names: as in C++ without a trailing underscore, and converted. One array of
/// characters holds them all.
template <std::size_t count, std::size_t length>
struct NamePairs {
    FixedText<length> text;
    std::array<std::uint16_t, count * 2 + 1> begin{};

    constexpr std::string_view cpp(std::size_t i) const { return part(2 * i); }
    constexpr std::string_view converted(std::size_t i) const { return part(2 * i + 1); }

private:
    constexpr std::string_view part(std::size_t i) const {
        return {text.chars.data() + begin[i], static_cast<std::size_t>(begin[i + 1] - begin[i])};
    }
};

/// Convert: void(FixedText&, string_view), appends the second spelling.
template <std::size_t length, std::size_t count, class Convert>
consteval auto make_name_pairs(const std::array<std::string_view, count>& names, Convert convert) {
    NamePairs<count, length> pairs;
    for (std::size_t i = 0; i < count; ++i) {
        for (const char c : without_trailing_underscore(names[i]))
            pairs.text.push(c);
        pairs.begin[2 * i + 1] = static_cast<std::uint16_t>(pairs.text.size);
        convert(pairs.text, names[i]);
        pairs.begin[2 * i + 2] = static_cast<std::uint16_t>(pairs.text.size);
    }
    return pairs;
}

template <std::size_t count>
consteval std::size_t total_size(const std::array<std::string_view, count>& names) {
    std::size_t total = 1;
    for (const auto name : names)
        total += name.size();
    return total;
}

template <class T>
struct FieldNames {
    static constexpr std::size_t kCount = member_count<T>;
    static constexpr auto kRaw = last_identifiers<kCount>(pretty_fields<T>());
    static constexpr auto kPairs = make_name_pairs<2 * total_size(kRaw)>(
        kRaw, [](auto& out, std::string_view name) { append_camel_case(out, name); });
};
template <class T>
    requires(member_count<T> == 0)
struct FieldNames<T> {
    static constexpr std::size_t kCount = 0;
};

template <class E>
struct EnumeratorNames {
    static constexpr auto kAll =
        last_identifiers<64>(pretty_enumerators<E>()); ///< digits where no enumerator has the value
    static constexpr bool is_name(std::string_view text) { return !text.empty() && !is_digit(text.front()); }
    static constexpr std::size_t kCount = [] {
        std::size_t count = 0;
        for (const auto name : kAll)
            count += is_name(name);
        return count;
    }();
    static constexpr auto kValues = [] {
        std::array<std::int64_t, kCount> values{};
        std::size_t next = 0;
        for (std::size_t i = 0; i < kAll.size(); ++i) {
            if (is_name(kAll[i])) values[next++] = static_cast<std::int64_t>(i);
        }
        return values;
    }();
    static constexpr auto kRaw = [] {
        std::array<std::string_view, kCount> names{};
        for (std::size_t i = 0; i < kCount; ++i)
            names[i] = kAll[static_cast<std::size_t>(kValues[i])];
        return names;
    }();
    // UPPER_SNAKE may need an underscore before each letter.
    static constexpr auto kPairs = make_name_pairs<3 * total_size(kRaw)>(
        kRaw, [](auto& out, std::string_view name) { append_upper_snake(out, name); });
};

} // namespace flotilla::detail
