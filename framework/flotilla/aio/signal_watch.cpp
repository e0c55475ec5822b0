#include <flotilla/aio/signal_watch.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace flotilla::detail {

namespace {

constexpr std::size_t kWatchesMax = 16;
constexpr int kSignalsMax = 64;

std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }

/// Pipes are made once and kept for the next watch: a handler on another thread may still be about to write.
struct Slot {
    std::atomic<std::uint64_t> signals{0}; ///< a bit per signal; 0: free
    int read_end = -1;
    std::atomic<int> write_end{-1};
};

struct Table {
    std::mutex mutex; ///< guards everything that the handler does not touch
    std::array<Slot, kWatchesMax> slots;
    std::array<int, kSignalsMax + 1> watches{}; ///< per signal
    std::array<struct sigaction, kSignalsMax + 1> before{};
};

Table& table() {
    // Never destroyed: a signal may come while the process ends.
    static Table& the_table = *new Table;
    return the_table;
}

static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may not lock");

void on_signal(int signal) {
    const int errno_before = errno;
    const char number = static_cast<char>(signal);
    for (Slot& slot : table().slots) {
        if ((slot.signals.load() & bit(signal)) == 0) continue;
        // A full pipe holds thousands of signals that nobody has read yet; one more adds nothing.
        [[maybe_unused]] const ssize_t written = ::write(slot.write_end.load(), &number, 1);
    }
    errno = errno_before;
}

void open_pipe(Slot& slot) {
    if (slot.read_end >= 0) return;
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "pipe");
    slot.read_end = ends[0];
    slot.write_end = ends[1];
}

void watch(Table& all, Slot& slot, int signal) {
    slot.signals |= bit(signal); // first: the signal may come at once
    if (all.watches[static_cast<std::size_t>(signal)] == 0) {
        struct sigaction action{};
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        ::sigfillset(&action.sa_mask);
        if (::sigaction(signal, &action, &all.before[static_cast<std::size_t>(signal)]) != 0) {
            slot.signals &= ~bit(signal);
            throw std::system_error(errno, std::generic_category(), "sigaction");
        }
    }
    ++all.watches[static_cast<std::size_t>(signal)];
}

void unwatch(Table& all, int signal) {
    if (--all.watches[static_cast<std::size_t>(signal)] > 0) return;
    // Cannot fail: it succeeded for this signal before.
    ::sigaction(signal, &all.before[static_cast<std::size_t>(signal)], nullptr);
}

} // namespace

SignalWatch::SignalWatch(std::initializer_list<int> signals) {
    Table& all = table();
    const std::lock_guard lock(all.mutex);
    for (slot_ = 0; slot_ < kWatchesMax && all.slots[slot_].signals != 0; ++slot_) {
    }
    if (slot_ == kWatchesMax) throw std::length_error("more than 16 watches of signals at a time");
    Slot& slot = all.slots[slot_];
    open_pipe(slot);
    while (next() != 0) { // left over from the watch before
    }
    try {
        for (const int signal : signals) {
            if (signal < 1 || signal > kSignalsMax) {
                throw std::system_error(EINVAL, std::generic_category(), "no such signal");
            }
            if ((slot.signals & bit(signal)) != 0) continue;
            watch(all, slot, signal);
        }
    } catch (...) {
        end();
        throw;
    }
}

SignalWatch::~SignalWatch() {
    const std::lock_guard lock(table().mutex);
    end();
}

void SignalWatch::end() {
    Table& all = table();
    const std::uint64_t signals = all.slots[slot_].signals;
    for (int signal = 1; signal <= kSignalsMax; ++signal) {
        if ((signals & bit(signal)) != 0) unwatch(all, signal);
    }
    all.slots[slot_].signals = 0;
}

int SignalWatch::fd() const { return table().slots[slot_].read_end; }

int SignalWatch::next() {
    char number = 0;
    return ::read(fd(), &number, 1) == 1 ? number : 0;
}

} // namespace flotilla::detail
