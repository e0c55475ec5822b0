#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <flotilla/aio/world.hpp>

namespace flotilla {

/// The threads behind World::submit_blocking: started as work comes, bounded in threads and in waiting work. What came
/// first is begun first; but while the oldest has waited for kLongWait, what came last. More comes then than can be
/// done, and who has waited longest is nearest to its deadline: begun in turn, all work would end just too late, and an
/// overload would last for as long as anybody asks (docs/guides/overload.md).
/// Thread-safety: submit() from any thread. The destructor drops what has not begun and joins.
class BlockingPool {
public:
    static constexpr Duration kLongWait = std::chrono::milliseconds(200);
    using Clock = Instant (*)();

    BlockingPool(std::size_t threads_max, std::size_t queue_max, Clock clock = &read_clock)
        : threads_max_(threads_max), queue_max_(queue_max), clock_(clock) {}
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;
    ~BlockingPool();

    /// Errors: unavailable (queue_max are waiting).
    Result<void> submit(std::move_only_function<void()> work);
    /// Thread-safe.
    BlockingLoad load() const;

private:
    using Work = std::move_only_function<void()>;
    struct Waiting {
        Work work;
        Instant since;
    };

    static Instant read_clock() { return Instant(std::chrono::steady_clock::now().time_since_epoch()); }
    Work take_next();
    void run(std::size_t number);

    const std::size_t threads_max_;
    const std::size_t queue_max_;
    const Clock clock_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Waiting> queue_;
    std::size_t idle_ = 0;
    std::size_t busy_ = 0;
    bool stopping_ = false;
    std::vector<std::jthread> threads_;
};

/// The real Worker: one named thread.
class ThreadWorker final : public Worker {
public:
    explicit ThreadWorker(std::string name);
    ~ThreadWorker() override;
    void submit(std::move_only_function<void()> work) override;

private:
    void run(const std::string& name);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::move_only_function<void()>> queue_;
    bool stopping_ = false;
    std::jthread thread_; // last: it uses the others
};

} // namespace flotilla
