#include <flotilla/store/sqlite/writer_turns.hpp>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <ctime>
#include <string>
#include <system_error>

namespace flotilla::sqlite {
namespace {

// The holder's name lies before it. Written anew by the first process, so no other version's is ever read.
constexpr std::size_t kMemoryAt = 1024;
constexpr std::size_t kMappedBytes = 4096;

Error failure(std::string_view what, int code) {
    return {Kind::unavailable, std::string(what) + ": " + std::generic_category().message(code)};
}

timespec until(Duration patience) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto nanoseconds = std::chrono::nanoseconds(patience).count() + now.tv_nsec;
    constexpr std::int64_t kSecond = 1'000'000'000;
    return {.tv_sec = now.tv_sec + nanoseconds / kSecond, .tv_nsec = nanoseconds % kSecond};
}

int make_mutex(pthread_mutex_t& mutex) {
    pthread_mutexattr_t attributes;
    int code = ::pthread_mutexattr_init(&attributes);
    if (code == 0) code = ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (code == 0) code = ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (code == 0) code = ::pthread_mutex_init(&mutex, &attributes);
    ::pthread_mutexattr_destroy(&attributes);
    return code;
}

Result<void> lock(pthread_mutex_t& mutex, const timespec& end) {
    const int code = ::pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &end);
    // Its owner was killed. What it had not committed SQLite takes back by itself.
    if (code == EOWNERDEAD) ::pthread_mutex_consistent(&mutex);
    if (code == 0 || code == EOWNERDEAD) return {};
    if (code == ETIMEDOUT) {
        return Error(Kind::unavailable, "another process that shares the database holds it and does not go on: it is "
                                        "stopped, or its disk hangs")
            .with_retry_after(std::chrono::seconds(1));
    }
    return failure("the turns of the processes that share the database are damaged", code);
}

} // namespace

struct WriterTurns::Memory {
    pthread_mutex_t next, writing;
    std::atomic<std::int64_t> signals;
    static_assert(std::atomic<std::int64_t>::is_always_lock_free);
};

Result<void> WriterTurns::make(int lock_file) {
    if (::ftruncate(lock_file, kMappedBytes) != 0) return failure("cannot make room in the lock file", errno);
    auto turns = open(lock_file);
    if (!turns) return std::move(turns.error());
    auto& memory = *(*turns)->memory_;
    int code = make_mutex(memory.next);
    if (code == 0) code = make_mutex(memory.writing);
    memory.signals = 0;
    if (code != 0) return failure("this system has no mutexes that outlive a killed process", code);
    return {};
}

Result<std::unique_ptr<WriterTurns>> WriterTurns::open(int lock_file) {
    static_assert(kMemoryAt + sizeof(Memory) <= kMappedBytes);
    void* mapped = ::mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, lock_file, 0);
    if (mapped == MAP_FAILED) return failure("cannot share memory with the other processes", errno);
    return std::unique_ptr<WriterTurns>(
        new WriterTurns(reinterpret_cast<Memory*>(static_cast<std::byte*>(mapped) + kMemoryAt)));
}

WriterTurns::~WriterTurns() { ::munmap(reinterpret_cast<std::byte*>(memory_) - kMemoryAt, kMappedBytes); }

Result<void> WriterTurns::begin(Duration patience) {
    const auto end = until(patience);
    if (auto first = lock(memory_->next, end); !first) return first;
    auto turn = lock(memory_->writing, end);
    ::pthread_mutex_unlock(&memory_->next);
    return turn;
}

void WriterTurns::end() { ::pthread_mutex_unlock(&memory_->writing); }

// Ours first: seen in between there would be too few of the others' rather than one that is none.
void WriterTurns::note_signals() {
    own_signals_.fetch_add(1);
    memory_->signals.fetch_add(1);
}

std::int64_t WriterTurns::foreign_signals() const { return memory_->signals.load() - own_signals_.load(); }

} // namespace flotilla::sqlite
