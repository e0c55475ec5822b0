#include <flotilla/aio/blocking_pool.hpp>

#include <pthread.h>

#include <fmt/format.h>

namespace flotilla {

namespace {

constexpr std::size_t kThreadNameMax = 15; // Linux

void name_thread(const std::string& name) {
    ::pthread_setname_np(::pthread_self(), name.substr(0, kThreadNameMax).c_str());
}

} // namespace

BlockingPool::~BlockingPool() {
    std::deque<Waiting> dropped;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        dropped.swap(queue_);
    }
    changed_.notify_all();
    threads_.clear(); // joins
}

Result<void> BlockingPool::submit(std::move_only_function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        if (idle_ <= queue_.size() && threads_.size() < threads_max_) {
            threads_.emplace_back([this, number = threads_.size()] { run(number); });
        } else if (queue_.size() >= queue_max_) {
            return Error(Kind::unavailable,
                         fmt::format("the queue for blocking work is full ({} are waiting)", queue_.size()));
        }
        queue_.push_back({std::move(work), clock_()});
    }
    changed_.notify_one();
    return {};
}

BlockingLoad BlockingPool::load() const {
    const std::lock_guard lock(mutex_);
    return {.waiting = queue_.size(), .busy = busy_};
}

BlockingPool::Work BlockingPool::take_next() {
    const bool overloaded = clock_() - queue_.front().since >= kLongWait;
    auto work = std::move((overloaded ? queue_.back() : queue_.front()).work);
    overloaded ? queue_.pop_back() : queue_.pop_front();
    return work;
}

void BlockingPool::run(std::size_t number) {
    name_thread(fmt::format("blocking-{}", number));
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (stopping_) return;
        auto work = take_next();
        ++busy_;
        lock.unlock();
        work();
        work = nullptr; // what it holds dies outside the lock
        lock.lock();
        --busy_;
    }
}

ThreadWorker::ThreadWorker(std::string name) : thread_([this, name = std::move(name)] { run(name); }) {}

ThreadWorker::~ThreadWorker() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
}

void ThreadWorker::submit(std::move_only_function<void()> work) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = queue_.empty();
        queue_.push_back(std::move(work));
    }
    if (first) changed_.notify_one();
}

void ThreadWorker::run(const std::string& name) {
    name_thread(name);
    std::vector<std::move_only_function<void()>> batch;
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return; // stopping, and drained
        batch.swap(queue_);
        lock.unlock();
        for (auto& work : batch) {
            work();
            work = nullptr;
        }
        batch.clear();
        lock.lock();
    }
}

} // namespace flotilla
