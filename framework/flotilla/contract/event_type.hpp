#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flotilla/base/json.hpp>
#include <flotilla/contract/topic.hpp>

/// What happened, as it is stored for ever (store/event_store.hpp). This is vocabulary only, so that a service's
/// domain/ can be written with it; it is not a Topic, which others hear: events of a service's own store are its own.
namespace flotilla {

/// Turns the payload of one schema version into that of the next, JSON to JSON: a plain function. upcast<> makes one.
using Upcaster = Result<std::string> (*)(std::string_view payload);

/// The face of an event type that does not know the struct.
struct EventTypeInfo {
    static constexpr std::size_t kUpcastersMax = 15;

    std::string_view name;      ///< in the store, for ever: "order.placed"
    int version = 1;            ///< schema version of what is stored now: one more than there are upcasters
    const TypeDescriptor* type; ///< of the struct as it is now
    /// A payload stored in that schema version, read and written as JSON again. Errors: as read_event.
    Result<std::string> (*rewritten)(const EventTypeInfo& type, int stored_version, std::string_view payload);
    std::array<Upcaster, kUpcastersMax> upcasters = {}; ///< the first one from version 1 to 2
};

/// Fills a fresh struct of the type's from a payload that was stored in that schema version. Errors: internal
/// `event_not_readable`: the version is not one of the type's, an upcaster refuses the payload, or it does not fit.
Result<void> read_event(const EventTypeInfo& type, int stored_version, std::string_view payload, void* into);

namespace detail {
template <class E>
Result<std::string> rewritten(const EventTypeInfo& type, int stored_version, std::string_view payload) {
    E event{};
    if (auto read = read_event(type, stored_version, payload, &event); !read) return std::move(read.error());
    return json::write(event);
}
} // namespace detail

/// A type of event: `inline constexpr EventType<Placed> placed{"order.placed"};` Optional fields may come and go; any
/// other change of the struct is a new schema version, and begins with the upcaster that reads the events there are:
/// `inline constexpr EventType<Placed> placed{"order.placed", {upcast<with_currency>}};` is version 2. What was stored
/// in each version is kept in a corpus, and a test reads it: see testing/event_corpus.hpp.
template <Described E>
struct EventType : EventTypeInfo {
    using event_type = E;

    explicit consteval EventType(std::string_view event_name, std::initializer_list<Upcaster> chain = {})
        : EventTypeInfo{event_name, static_cast<int>(chain.size()) + 1, &descriptor_of<E>, &detail::rewritten<E>} {
        if (!detail::fault_of_topic(event_name, 1).empty())
            throw "an event type's name is made of at most 200 letters, digits, '.', '_' and '-'";
        if (chain.size() > kUpcastersMax) throw "an event type has at most 15 upcasters";
        std::size_t next = 0;
        for (const auto upcaster : chain)
            upcasters[next++] = upcaster;
    }
};

/// Events that have happened to one instance of an aggregate and are appended together, in their order: what a rule of
/// the domain returns. `return {confirmed, {.by = user}};` for one.
class NewEvents {
public:
    struct Entry {
        const EventTypeInfo* type;
        std::string payload; ///< JSON
    };

    NewEvents() = default; ///< nothing has happened
    template <class E>
    NewEvents(const EventType<E>& type, const std::type_identity_t<E>& event) {
        add(type, event);
    }
    /// Requires: the type is constant data, as they all are.
    template <class E>
    NewEvents& add(const EventType<E>& type, const std::type_identity_t<E>& event) {
        entries_.push_back({&type, json::write(event)});
        return *this;
    }
    const std::vector<Entry>& entries() const { return entries_; }
    bool empty() const { return entries_.empty(); }

private:
    std::vector<Entry> entries_;
};

namespace detail {
template <class Function>
struct UpcastingFunction;
template <class Outcome, class Old>
struct UpcastingFunction<Outcome (*)(Old)> {
    using outcome_type = Outcome;
    using old_type = std::remove_cvref_t<Old>;
};
} // namespace detail

/// An upcaster from a plain function `New f(const Old&)`, or `Result<New>`, between described types: the struct as it
/// was and as it became, or boost::json::value (base/json_value.hpp) where only a name changes.
template <auto function>
Result<std::string> upcast(std::string_view payload) {
    using Function = detail::UpcastingFunction<decltype(function)>;
    auto old = json::parse<typename Function::old_type>(payload);
    if (!old) return std::move(old.error());
    if constexpr (is_result<typename Function::outcome_type>) {
        auto now = function(std::move(*old));
        if (!now) return std::move(now.error());
        return json::write(*now);
    } else {
        return json::write(function(std::move(*old)));
    }
}

} // namespace flotilla
