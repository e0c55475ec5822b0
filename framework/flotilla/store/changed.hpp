#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <flotilla/contract/endpoint.hpp>
#include <flotilla/contract/versioned.hpp>

namespace flotilla {

class Transaction;
namespace detail {
struct RecordedForm;
}

/// What the method answers with that changes a single versioned resource: the resource as it is now. Only a transaction
/// makes one, by Transaction::change(), changed() or removed(), which look at the expected version: a method that
/// forgets to does not compile.
template <class T>
class Changed {
public:
    const T& value() const { return value_; }
    T& value() { return value_; }
    std::int64_t version() const { return version_; } ///< 0: it has gone

    /// The same change, shown as something else: `tx.change(users, row, expected).as(&user_of)`.
    template <class Show>
    auto as(const Show& show) && {
        using Shown = std::remove_cvref_t<std::invoke_result_t<const Show&, T>>;
        return Changed<Shown>(show(std::move(value_)), version_);
    }

private:
    friend class Transaction;
    friend struct detail::RecordedForm;
    template <class Other>
    friend class Changed;
    Changed(T value, std::int64_t version) : value_(std::move(value)), version_(version) {}

    T value_;
    std::int64_t version_;
};

} // namespace flotilla
