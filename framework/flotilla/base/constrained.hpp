#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flotilla/base/text.hpp>

namespace flotilla {

/// A number from minimum to maximum, both included. Reads like a T and converts both ways; a value outside the range
/// throws std::out_of_range in C++ (a bug) and is a FieldError when it comes from JSON or a query.
/// The default is 0 where the range has it, else the minimum.
template <class T, T minimum, T maximum>
    requires std::is_arithmetic_v<T> && (!std::same_as<T, bool>)
class Bounded {
    static_assert(minimum <= maximum, "a range has a minimum at or below its maximum");

public:
    static constexpr T kMinimum = minimum;
    static constexpr T kMaximum = maximum;

    constexpr Bounded() = default;
    /// Any number whose value lies in the range; nothing is narrowed on the way.
    template <class Number>
        requires std::is_arithmetic_v<Number> && (!std::same_as<Number, bool>)
    constexpr Bounded(Number value) : value_(checked(value)) {}

    constexpr T value() const { return value_; }
    constexpr operator T() const { return value_; }

private:
    template <class Number>
    static constexpr T checked(Number value) {
        if constexpr (std::integral<T> && std::integral<Number>) {
            if (!std::in_range<T>(+value)) throw std::out_of_range("a number does not fit its bounded type");
        } else {
            static_assert(std::floating_point<T>, "a whole number is not made from a floating-point one");
        }
        const T converted = static_cast<T>(value);
        if (!(converted >= minimum && converted <= maximum)) throw std::out_of_range("a number is outside its bounds");
        return converted;
    }

    T value_ = (T{} >= minimum && T{} <= maximum) ? T{} : minimum;
};

/// Text of min_length to max_length Unicode characters (code points). Converts from text and to std::string. A wrong
/// length throws std::out_of_range in C++ (a bug) and is a FieldError when it comes from JSON or a query.
/// A default-constructed Text is empty whatever min_length says: it stands for "not filled in yet".
template <std::size_t min_length, std::size_t max_length = std::numeric_limits<std::size_t>::max()>
class Text {
    static_assert(min_length <= max_length, "a text's minimal length is at or below its maximal length");

public:
    static constexpr std::size_t kMinLength = min_length;
    static constexpr std::size_t kMaxLength = max_length;

    Text() = default;
    Text(std::string text) : text_(std::move(text)) { check(); }
    Text(std::string_view text) : text_(text) { check(); }
    Text(const char* text) : text_(text) { check(); }

    const std::string& value() const { return text_; }
    operator const std::string&() const { return text_; }
    std::string_view view() const { return text_; }
    const char* c_str() const { return text_.c_str(); }
    std::size_t size() const { return text_.size(); }
    bool empty() const { return text_.empty(); }

    bool operator==(const Text&) const = default;
    auto operator<=>(const Text&) const = default;
    template <class Other>
        requires(std::convertible_to<const Other&, std::string_view> && !std::same_as<Other, Text>)
    friend bool operator==(const Text& text, const Other& other) {
        return text.view() == std::string_view(other);
    }
    friend std::ostream& operator<<(std::ostream& out, const Text& text) { return out << text.text_; }

private:
    void check() const {
        const auto length = code_points(text_);
        if (length < min_length || length > max_length)
            throw std::out_of_range("a text's length is outside its bounds");
    }

    std::string text_;
};

} // namespace flotilla
