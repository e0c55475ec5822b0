#include <flotilla/aio/scope.hpp>

#include <cassert>

namespace flotilla {

/// A self-destroying coroutine that runs one task and tells its scope.
struct Scope::Runner {
    using promise_type = RunnerPromise;
};

struct Scope::RunnerPromise {
    Scope& scope;
    RunnerPromise** previous; // the pointer that points here
    RunnerPromise* next;

    RunnerPromise(Scope& owner, task<void>&) : scope(owner), previous(&owner.first_), next(owner.first_) {
        if (next != nullptr) next->previous = &next;
        owner.first_ = this;
        ++owner.running_;
    }
    RunnerPromise(const RunnerPromise&) = delete;
    RunnerPromise& operator=(const RunnerPromise&) = delete;
    ~RunnerPromise() {
        *previous = next;
        if (next != nullptr) next->previous = previous;
    }
    static void* operator new(std::size_t size) { return detail::allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { detail::free_frame(frame, size); }

    struct Last {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<RunnerPromise> self) noexcept {
            Scope& owner = self.promise().scope;
            self.destroy();
            if (--owner.running_ == 0 && owner.joiner_) return std::exchange(owner.joiner_, nullptr);
            return std::noop_coroutine();
        }
        void await_resume() noexcept {}
    };

    Runner get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    Last final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept {
        if (!scope.exception_) scope.exception_ = std::current_exception();
    }
};

Scope::Runner Scope::run(task<void> work) { co_await std::move(work); }

void Scope::spawn(task<void> work) { run(std::move(work)); }

task<void> Scope::join() {
    struct Join {
        Scope& scope;
        bool await_ready() const { return scope.running_ == 0; }
        void await_suspend(std::coroutine_handle<> awaiting) {
            assert(!scope.joiner_ && "a Scope has one joiner at a time");
            scope.joiner_ = awaiting;
        }
        void await_resume() const {}
    };
    co_await Join{*this};
    if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
}

Scope::~Scope() {
    while (first_ != nullptr)
        std::coroutine_handle<RunnerPromise>::from_promise(*first_).destroy();
}

} // namespace flotilla
