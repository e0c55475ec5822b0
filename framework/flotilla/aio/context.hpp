#pragma once

#include <coroutine>
#include <optional>
#include <string>

#include <flotilla/aio/criticality.hpp>
#include <flotilla/aio/deadline.hpp>
#include <flotilla/aio/task.hpp>
#include <flotilla/aio/trace_context.hpp>
#include <flotilla/aio/world.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla {

class Context;
class TimeSpent;

/// On whose behalf work is done.
struct Principal {
    std::string subject; ///< empty: anonymous
};

/// A callback for when a Context is cancelled, linked intrusively: no allocation. Destroying it unlinks it.
/// It is called from inside cancel(), in the middle of somebody else's work: do not resume a coroutine there, schedule
/// a Wakeup that does.
class CancelHook {
public:
    using Callback = void (*)(void* argument);
    CancelHook() = default;
    CancelHook(const CancelHook&) = delete;
    CancelHook& operator=(const CancelHook&) = delete;
    ~CancelHook() { unlink(); }

    /// The callback runs at most once, on the context's loop, never inside link().
    /// Requires: not linked; the context is not cancelled.
    void link(Context& context, Callback callback, void* argument);
    void unlink();

private:
    friend class Context;
    CancelHook** previous_ = nullptr;
    CancelHook* next_ = nullptr;
    Callback callback_ = nullptr;
    void* argument_ = nullptr;
};

namespace detail {
/// An entry of what a context carries for layers above this one; see Carried.
struct CarriedEntry {
    const void* type = nullptr;
    void* value = nullptr;
    CarriedEntry* next = nullptr;
};
/// Its address stands for the type.
template <class T>
inline constexpr char kCarriedType = 0;
} // namespace detail

/// What every piece of work carries: its World, deadline, trace, principal, criticality and cancellation. Passed by
/// reference down the calls; a child ends no later than its parent and is cancelled with it. When the deadline passes
/// the context is cancelled, which wakes whatever waits on it (streams, timers, offload, locks). What only one layer
/// needs to find again hangs on it by its type: see Carried. Thread-safety: none; lives on its World's loop. Not
/// movable.
class Context {
public:
    /// A root: no deadline, a new trace unless one is given.
    explicit Context(World& world, TraceContext trace = {});
    /// A child with the parent's trace, principal and criticality, ending at the earlier of both deadlines. It is
    /// cancelled from the start when that has passed already, or the parent is cancelled.
    explicit Context(Context& parent, Deadline deadline = Deadline::never());
    /// A child ending `timeout` from now at the latest.
    Context(Context& parent, Duration timeout);
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context();

    World& world() const { return world_; }
    Deadline deadline() const { return deadline_; }
    /// Moves the deadline, for who learns only on the way how long work may take; never beyond the parent's. Children
    /// made before keep theirs.
    void set_deadline(Deadline deadline);
    /// What is left of the deadline; Duration::max() without one.
    Duration remaining() const { return deadline_.remaining(world_.monotonic()); }

    TraceContext trace;
    Principal principal;
    /// Inherited by children, and sent on by the calls that are made for this work.
    Criticality criticality = Criticality::normal;
    /// Set while a request is handled whose time is accounted for; see time_spent.hpp. Inherited by children.
    TimeSpent* time_spent = nullptr;

    bool cancelled() const { return reason_.has_value(); }
    /// Why it was cancelled: deadline_exceeded, cancelled, or unavailable (shutting down). Requires: cancelled().
    const Error& reason() const { return *reason_; }
    /// ok, or reason().
    Result<void> check() const;
    /// Cancels this context and its children. The first reason stays.
    void cancel(Error reason);

    /// What a Carried<T> has hung on this context, or on a parent before this one was made; null: nothing.
    template <class T>
    T* carried() const {
        for (const auto* entry = carried_; entry != nullptr; entry = entry->next) {
            if (entry->type == &detail::kCarriedType<T>) return static_cast<T*>(entry->value);
        }
        return nullptr;
    }

private:
    friend class CancelHook;
    template <class T>
    friend class Carried;
    void arm_deadline();
    static void on_deadline(void* self);
    static void on_parent(void* self);

    World& world_;
    Context* parent_ = nullptr;
    Deadline deadline_;
    Timer timer_;
    CancelHook parent_hook_;
    CancelHook* hooks_ = nullptr;
    detail::CarriedEntry* carried_ = nullptr;
    std::optional<Error> reason_;
    bool* destroyed_ = nullptr; ///< set while cancel() runs, so that it notices its own end
};

/// The slot of one layer in a context: hangs a value on it that whoever is handed the context, or a child made
/// meanwhile, finds by its type: `context.carried<T>()`. Nothing is allocated. Slots of one context end in reverse
/// order, after its children. Thread-safety: none; on the context's loop.
template <class T>
class Carried {
public:
    Carried(Context& context, T& value) : context_(context) {
        entry_ = {&detail::kCarriedType<T>, &value, context.carried_};
        context.carried_ = &entry_;
    }
    Carried(const Carried&) = delete;
    Carried& operator=(const Carried&) = delete;
    ~Carried() { context_.carried_ = entry_.next; }

private:
    Context& context_;
    detail::CarriedEntry entry_;
};

/// Waits; ends early with the context's reason when it is cancelled.
task<Result<void>> sleep_for(Context& context, Duration duration);

} // namespace flotilla
