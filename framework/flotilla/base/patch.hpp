#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace flotilla {

/// What a request for a partial change says about one field: nothing (absent: leave it), null (clear it), or a value.
/// JSON: the key is missing, null, or the value.
template <class T>
class Patch {
public:
    using value_type = T;

    Patch() = default;
    Patch(std::nullptr_t) : null_(true) {}
    Patch(T value) : value_(std::move(value)) {}

    bool is_absent() const { return !null_ && !value_; }
    bool is_null() const { return null_; }
    bool has_value() const { return value_.has_value(); }

    /// Requires: has_value().
    const T& operator*() const { return *value_; }
    T& operator*() { return *value_; }
    const T* operator->() const { return &*value_; }
    T* operator->() { return &*value_; }
    T value_or(T otherwise) const { return value_ ? *value_ : std::move(otherwise); }

    T& emplace() {
        null_ = false;
        return value_.emplace();
    }
    void set_null() {
        null_ = true;
        value_.reset();
    }
    void reset() {
        null_ = false;
        value_.reset();
    }

    /// Changes a mandatory field: a value replaces it, anything else leaves it. Returns whether it was replaced.
    bool apply_to(T& field) const {
        if (value_) field = *value_;
        return value_.has_value();
    }
    /// Changes an optional field: a value replaces it, null clears it. Returns whether the patch says anything.
    bool apply_to(std::optional<T>& field) const {
        if (value_) field = *value_;
        if (null_) field.reset();
        return !is_absent();
    }

    bool operator==(const Patch&) const = default;

private:
    bool null_ = false; ///< never together with a value
    std::optional<T> value_;
};

} // namespace flotilla
