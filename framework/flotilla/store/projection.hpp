#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flotilla/store/event_store.hpp>

/// What follows the events of a database, as constant data: projections, which make tables of them, and subscriptions,
/// which do something once for each. Both are plain functions that run in the transaction that also moves the
/// checkpoint: what they write is there exactly once. They run where the database's role is held, one batch at a time,
/// each event in the order of its position. Types of events that none of the steps names are passed over.
///
/// A function that fails stops its projection or subscription at that event: nothing is skipped. /readyz, the log and
/// metrics say so at once, with position, type and reason; it is tried again with growing delay (up to 5 s), and goes
/// on by itself once it is mended, by a deployment or outside. There is no way to skip an event but to say so in the
/// function, which everybody can then read.
namespace flotilla {

/// What is done with one type of event.
struct ProjectionStep {
    const EventTypeInfo* type; ///< null: every event
    Result<void> (*take)(const EventTypeInfo* type, Transaction& transaction, const StoredEvent& stored);
};

namespace detail {

template <auto function, class... Arguments>
Result<void> call_step(Arguments&&... arguments) {
    if constexpr (std::is_void_v<std::invoke_result_t<decltype(function), Arguments...>>) {
        function(std::forward<Arguments>(arguments)...);
        return {};
    } else {
        return function(std::forward<Arguments>(arguments)...);
    }
}

template <class E, auto function>
Result<void> take_event(const EventTypeInfo* type, Transaction& transaction, const StoredEvent& stored) {
    E event{};
    if (auto read = read_event(*type, stored.schema_version, stored.payload, &event); !read) return read;
    const E& happened = event;
    if constexpr (std::is_invocable_v<decltype(function), Transaction&, const E&, const StoredEvent&>)
        return call_step<function>(transaction, happened, stored);
    else
        return call_step<function>(transaction, happened);
}
template <auto function>
Result<void> take_any(const EventTypeInfo*, Transaction& transaction, const StoredEvent& stored) {
    return call_step<function>(transaction, stored);
}

} // namespace detail

/// `when<placed, add_line>`: a plain function `void (Transaction&, const Placed&)`, or `Result<void>` where it may
/// refuse, with a `const StoredEvent&` behind where it wants stream, version or time. The rules of transaction bodies
/// apply.
template <const auto& type, auto function>
inline constexpr ProjectionStep when{
    &type, &detail::take_event<typename std::remove_cvref_t<decltype(type)>::event_type, function>};
/// Every event, whatever its type, as it is stored: `(Transaction&, const StoredEvent&)`.
template <auto function>
inline constexpr ProjectionStep when_any{nullptr, &detail::take_any<function>};

/// A list of steps with a name. For Projection and EventSubscription.
class EventFollower {
public:
    static constexpr std::size_t kStepsMax = 40;

    std::string_view name;
    int version; ///< of a projection; 0: a subscription
    bool from_now = false;

    constexpr std::span<const ProjectionStep> steps() const { return {steps_.data(), size_}; }
    /// All steps that this event is for, in order. Errors: the first one's; internal `event_not_readable`.
    Result<void> take(Transaction& transaction, const StoredEvent& stored) const;

protected:
    consteval EventFollower(std::string_view follower_name, int follower_version, bool now,
                            std::initializer_list<ProjectionStep> steps)
        : name(follower_name), version(follower_version), from_now(now) {
        if (!detail::fault_of_topic(follower_name, 1).empty())
            throw "a projection's or subscription's name is made of letters, digits, '.', '_' and '-'";
        if (steps.size() == 0 || steps.size() > kStepsMax) throw "a projection or subscription has 1 to 40 steps";
        for (const auto& step : steps)
            steps_[size_++] = step;
    }

private:
    std::array<ProjectionStep, kStepsMax> steps_{};
    std::size_t size_ = 0;
};

/// Tables that are made of events: `inline constexpr Projection order_list{"order_list", 1, {when<placed, add_line>,
/// when<confirmed, set_status>}};`. Each version has tables of its own, which the service's migrations make and, once
/// no release reads them any more, drop: "order_list_1". To rebuild it, for another shape or after a mistake, give the
/// functions other tables and the projection the next version. Both versions are then given to host.projection(): the
/// new one reads all events again while the old one serves and is kept up, and becomes the live one in the transaction
/// in which it has caught up. A version whose functions are no longer there serves what it has until then.
class Projection : public EventFollower {
public:
    explicit consteval Projection(std::string_view projection_name, int projection_version,
                                  std::initializer_list<ProjectionStep> steps)
        : EventFollower(projection_name, projection_version, false, steps) {
        if (projection_version < 1) throw "a projection's versions are 1, 2, 3, ...";
    }
};

/// Where a subscription begins in a database that has events already.
enum class Since : unsigned char { beginning, now };

/// What is done once for each event: a job enqueued, another stream appended to. It is never rebuilt.
/// `inline constexpr EventSubscription reminders{"reminders", Since::now, {when<placed, remind_later>}};`
class EventSubscription : public EventFollower {
public:
    explicit consteval EventSubscription(std::string_view subscription_name, Since since,
                                         std::initializer_list<ProjectionStep> steps)
        : EventFollower(subscription_name, 0, since == Since::now, steps) {}
};

/// A projection as its readers see it; host.projection() gives it. Lives on one loop, as long as the host.
/// Thread-safety: none.
class ReadModel {
public:
    ReadModel(Database& database, std::string_view projection);
    ReadModel(const ReadModel&) = delete;
    ReadModel& operator=(const ReadModel&) = delete;
    ~ReadModel();

    /// The version whose tables are to be read; 0: none has been begun yet. For the time in which there are two:
    /// `co_await must(list_.live(context)) == 1 ? storage::order_list_1 : storage::order_list_2`; with one there is
    /// nothing to ask. After caught_up(), so that its tables are those that are as new. Remembered until the next swap:
    /// it costs a comparison. Errors: the database's.
    task<Result<int>> live(Context& context);

    /// Waits until what is read is as new as all that is committed now, by whichever host: who has written reads it.
    /// Two reads by key where there is nothing to wait for. Errors: unavailable `projection_behind` when the context
    /// ends first, saying how far it is: give it one that leaves time to answer without; the database's.
    task<Result<void>> caught_up(Context& context);
    /// The same up to one position: Appended::position.
    task<Result<void>> caught_up(Context& context, std::int64_t position);

private:
    task<Result<std::int64_t>> look(Context& context);

    Database& database_;
    const std::string projection_;
    int live_ = 0; ///< as of live_since_ swaps; 0: to be asked
    std::uint64_t swaps_ = 0, live_since_ = 0;
    std::unique_ptr<SignalSubscription> swapped_;
};

} // namespace flotilla
