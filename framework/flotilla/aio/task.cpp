#include <flotilla/aio/task.hpp>

#include <array>
#include <cstdint>
#include <new>

#include <flotilla/base/sanitized.hpp>

namespace flotilla::detail {

#ifdef FLOTILLA_SANITIZED

// A cache would hide a use of freed frames from the sanitizers.
void* allocate_frame(std::size_t size) { return ::operator new(size); }
void free_frame(void* frame, std::size_t) noexcept { ::operator delete(frame); }

#else

namespace {

constexpr std::size_t kClassBytes = 64;
constexpr std::size_t kClasses = 32;               // frames up to 2 KiB are cached
constexpr std::size_t kCachedBytesMax = 64 * 1024; // per class and thread

struct FreeBlock {
    FreeBlock* next;
};

/// Trivial, so that reading it costs no initialisation check; ThreadExit empties it.
struct FrameCache {
    std::array<FreeBlock*, kClasses> blocks{};
    std::array<std::uint16_t, kClasses> counts{};
    bool registered = false;
    bool closed = false;
};
constinit thread_local FrameCache frame_cache;

struct ThreadExit {
    ~ThreadExit() {
        frame_cache.closed = true;
        for (auto& head : frame_cache.blocks) {
            while (head != nullptr)
                ::operator delete(std::exchange(head, head->next));
        }
    }
};

constexpr std::size_t class_of(std::size_t size) { return (size - 1) / kClassBytes; }

} // namespace

void* allocate_frame(std::size_t size) {
    const std::size_t index = class_of(size);
    if (index >= kClasses) return ::operator new(size);
    FreeBlock*& head = frame_cache.blocks[index];
    // Whole classes are allocated, so that a block fits every frame of its class, on whichever thread it is freed.
    if (head == nullptr) return ::operator new((index + 1) * kClassBytes);
    --frame_cache.counts[index];
    return std::exchange(head, head->next);
}

void free_frame(void* frame, std::size_t size) noexcept {
    const std::size_t index = class_of(size);
    FrameCache& cache = frame_cache;
    if (index >= kClasses || cache.closed || (cache.counts[index] + 1) * (index + 1) * kClassBytes > kCachedBytesMax) {
        ::operator delete(frame);
        return;
    }
    if (!cache.registered) {
        cache.registered = true;
        static thread_local ThreadExit thread_exit;
        (void)thread_exit;
    }
    cache.blocks[index] = new (frame) FreeBlock{cache.blocks[index]};
    ++cache.counts[index];
}

#endif

} // namespace flotilla::detail
