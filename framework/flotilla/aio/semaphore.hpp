#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include <flotilla/aio/context.hpp>

namespace flotilla {

/// A number of permits, handed out strictly first come, first served: a limit on what runs at once on one loop
/// (connections of a pool, concurrent calls). The number of waiters is bounded too.
/// Thread-safety: none. Requires: outlives its permits and waiters.
class FifoSemaphore {
public:
    /// The right to run; gives itself back when destroyed. Movable.
    class Permit {
    public:
        Permit(Permit&& other) noexcept : semaphore_(std::exchange(other.semaphore_, nullptr)) {}
        Permit& operator=(Permit&& other) noexcept {
            if (this != &other) {
                release();
                semaphore_ = std::exchange(other.semaphore_, nullptr);
            }
            return *this;
        }
        ~Permit() { release(); }
        /// Gives it back early.
        void release() {
            if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->give_back();
        }

    private:
        friend class FifoSemaphore;
        explicit Permit(FifoSemaphore& semaphore) : semaphore_(&semaphore) {}
        FifoSemaphore* semaphore_;
    };

    explicit FifoSemaphore(std::size_t permits, std::size_t waiting_max = std::numeric_limits<std::size_t>::max())
        : available_(permits), waiting_max_(waiting_max) {}
    FifoSemaphore(const FifoSemaphore&) = delete;
    FifoSemaphore& operator=(const FifoSemaphore&) = delete;
    ~FifoSemaphore();

    /// Waits for a permit. Errors: unavailable (waiting_max are waiting already), the context's reason.
    task<Result<Permit>> acquire(Context& context);
    /// One that is free now; nothing: none is, or others wait for it.
    std::optional<Permit> try_acquire() {
        if (available_ == 0) return std::nullopt;
        --available_;
        return Permit(*this);
    }
    std::size_t available() const { return available_; }
    std::size_t waiting() const { return waiting_; }

private:
    struct Waiter;
    void give_back();

    std::size_t available_;
    std::size_t waiting_max_;
    std::size_t waiting_ = 0;
    Waiter* first_ = nullptr;
    Waiter** last_ = &first_; // the pointer at the end of the queue
};

} // namespace flotilla
