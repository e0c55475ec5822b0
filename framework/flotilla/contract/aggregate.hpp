#pragma once

#include <cstdint>
#include <span>

#include <flotilla/contract/event_type.hpp>

namespace flotilla {

struct AggregateOptions {
    /// A snapshot of the state is kept each time so many events have come, so that loading reads no more than that; 0:
    /// none.
    std::int64_t snapshot_every = 100;
    /// Raised when `apply` makes another state of the same events: snapshots of another version are ignored and made
    /// again. A change of the state's fields needs no new one, it is seen by itself.
    int state_version = 1;
};

/// The face of an aggregate that does not know the state.
class AggregateInfo {
public:
    static constexpr std::size_t kEventTypesMax = 40;

    struct Entry {
        const EventTypeInfo* type;
        Result<void> (*apply)(const EventTypeInfo& type, void* state, int schema_version, std::string_view payload);
    };

    std::string_view name;
    AggregateOptions options;
    const TypeDescriptor* state;
    std::uint64_t shape; ///< changes with the fields of the state
    void (*reset)(void* state);

    constexpr std::span<const Entry> events() const { return {entries_.data(), size_}; }
    bool has(const EventTypeInfo& type) const;
    /// The state after that event. Errors: internal `event_not_readable`, also for a type that is not one of these.
    Result<void> apply(void* to, std::string_view type, int schema_version, std::string_view payload) const;
    /// The stream of the instance with that id: "order-0192...".
    std::string stream_of(std::string_view id) const { return std::string(name).append("-").append(id); }

protected:
    consteval AggregateInfo(std::string_view aggregate_name, AggregateOptions aggregate_options,
                            const TypeDescriptor& state_type, void (*state_reset)(void*));
    consteval void add(Entry entry);

private:
    std::array<Entry, kEventTypesMax> entries_{};
    std::size_t size_ = 0;
};

namespace detail {
template <class State, class E>
Result<void> apply_stored(const EventTypeInfo& type, void* state, int schema_version, std::string_view payload) {
    E event{};
    if (auto read = read_event(type, schema_version, payload, &event); !read) return read;
    apply(*static_cast<State*>(state), std::as_const(event)); // the service's, found beside the state or the event
    return {};
}
consteval std::uint64_t shape_of(const TypeDescriptor& type, std::uint64_t hash = 0xCBF29CE484222325U, int depth = 0);
} // namespace detail

/// Something that is what has happened to it: a state, a plain described struct whose fresh value stands for "nothing
/// has happened yet", and for each type of event a plain function `void apply(State&, const E&)` beside it. Both stand
/// in domain/ and do no I/O; apply refuses nothing, since what it is told has happened.
/// `inline constexpr Aggregate<OrderState> orders{"order", {.snapshot_every = 50}, placed, confirmed, cancelled};`
template <Described State>
    requires std::is_aggregate_v<State>
class Aggregate : public AggregateInfo {
public:
    using state_type = State;

    template <class... Es>
    explicit consteval Aggregate(std::string_view aggregate_name, AggregateOptions aggregate_options,
                                 const EventType<Es>&... types)
        : AggregateInfo(aggregate_name, aggregate_options, descriptor_of<State>,
                        [](void* state) { *static_cast<State*>(state) = State{}; }) {
        (add({&types, &detail::apply_stored<State, Es>}), ...);
    }
    template <class... Es>
    explicit consteval Aggregate(std::string_view aggregate_name, const EventType<Es>&... types)
        : Aggregate(aggregate_name, AggregateOptions{}, types...) {}
};

consteval AggregateInfo::AggregateInfo(std::string_view aggregate_name, AggregateOptions aggregate_options,
                                       const TypeDescriptor& state_type, void (*state_reset)(void*))
    : name(aggregate_name), options(aggregate_options), state(&state_type), shape(detail::shape_of(state_type)),
      reset(state_reset) {
    if (!detail::fault_of_topic(aggregate_name, 1).empty())
        throw "an aggregate's name is made of letters, digits, '.', '_' and '-'";
    if (aggregate_options.snapshot_every < 0) throw "a snapshot is kept every so many events, or never (0)";
}

consteval void AggregateInfo::add(Entry entry) {
    if (size_ == kEventTypesMax) throw "an aggregate has at most 40 types of events";
    for (const auto& other : events()) {
        if (other.type->name == entry.type->name) throw "two event types of an aggregate have one name";
    }
    entries_[size_++] = entry;
}

namespace detail {

/// FNV-1a over names and kinds.
consteval std::uint64_t shape_of(const TypeDescriptor& type, std::uint64_t hash, int depth) {
    const auto mix = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001B3U; };
    const auto mix_text = [&mix](std::string_view text) {
        for (const char c : text)
            mix(static_cast<unsigned char>(c));
        mix(0x100);
    };
    mix(static_cast<std::uint64_t>(type.kind));
    for (const auto& enumerator : type.enumerators)
        mix_text(enumerator.text);
    if (depth > 8) return hash; // a type that holds itself
    if (type.element_type != nullptr) hash = shape_of(*type.element_type, hash, depth + 1);
    for (const auto& field : type.fields) {
        mix_text(field.json_name);
        hash = shape_of(*field.type, hash, depth + 1);
    }
    return hash;
}

} // namespace detail

} // namespace flotilla
