#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <flotilla/aio/world.hpp>

namespace flotilla {

/// The real World: one event loop, on edge-triggered epoll.
/// Thread-safety: none, except stop(). Requires: outlives everything that uses its world.
class Loop {
public:
    struct Options {
        std::size_t blocking_threads = 4;  ///< threads of the blocking pool, started as work comes; at least 1
        std::size_t blocking_queue = 1024; ///< waiting work beyond which submit_blocking answers `unavailable`
    };
    Loop();
    explicit Loop(Options options);
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    /// Waits for blocking work that has begun, drops what has not.
    ~Loop();

    World& world();
    /// Runs on this thread until stop(); returns at once when stop() came first.
    void run();
    /// Runs until the task has ended: its value, or its exception. Throws when stop() comes before; the task is then
    /// destroyed where it waits.
    template <class T>
    T run_until_done(task<T> work);
    /// Ends run(). Thread-safe.
    void stop();
    /// Calls handler on the loop when one of the signals arrives (SIGTERM, SIGINT, ...).
    void on_signals(std::initializer_list<int> signals, std::move_only_function<void(int)> handler);

private:
    void run_root(task<void> work);
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

template <class T>
T Loop::run_until_done(task<T> work) {
    if constexpr (std::is_void_v<T>) {
        run_root(std::move(work));
    } else {
        std::optional<T> result;
        // A named coroutine: a capturing lambda coroutine must not be a temporary.
        auto store = [](task<T> inner, std::optional<T>& into) -> task<void> {
            into.emplace(co_await std::move(inner));
        };
        run_root(store(std::move(work), result));
        return std::move(*result);
    }
}

} // namespace flotilla
