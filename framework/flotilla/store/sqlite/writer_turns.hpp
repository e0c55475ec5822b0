#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <flotilla/base/duration.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla::sqlite {

/// Whose turn it is to write, over the processes that share a file. SQLite's own lock is asked for again and again with
/// growing pauses, by luck and not in order: under load a writer can miss it until it gives up. Here one waits in the
/// kernel and is next, and a commit's signals are heard by the other processes as well.
///
/// Two mutexes in shared memory (PTHREAD_MUTEX_ROBUST: a killed process lets go of them): who wants to write holds
/// `next` until it is its turn, so that the one that has just written comes behind whoever waits. Thread-safe.
class WriterTurns {
public:
    /// Writes the shared memory into a lock file, behind the holder's name. Requires: the caller alone has it open.
    static Result<void> make(int lock_file);
    /// The shared memory that another process, or this one, has made. Errors: unavailable.
    static Result<std::unique_ptr<WriterTurns>> open(int lock_file);
    WriterTurns(const WriterTurns&) = delete;
    WriterTurns& operator=(const WriterTurns&) = delete;
    ~WriterTurns();

    /// Waits for the turn. It belongs to the thread. Errors: unavailable after `patience`: a process that has the turn
    /// does not go on (it is stopped, or its disk hangs).
    Result<void> begin(Duration patience);
    void end();

    /// Tells the other processes that a commit of this one gave signals.
    void note_signals();
    /// How often other processes have. Costs a look into memory.
    std::int64_t foreign_signals() const;

private:
    struct Memory;
    explicit WriterTurns(Memory* memory) : memory_(memory) {}

    Memory* const memory_;
    std::atomic<std::int64_t> own_signals_ = 0;
};

/// Takes a turn while it lives; without turns (null) nothing is shared and it is always one's turn.
class WriterTurn {
public:
    WriterTurn(WriterTurns* turns, Duration patience)
        : turns_(turns), begun_(turns ? turns->begin(patience) : Result<void>()) {}
    WriterTurn(const WriterTurn&) = delete;
    WriterTurn& operator=(const WriterTurn&) = delete;
    ~WriterTurn() {
        if (turns_ && begun_) turns_->end();
    }
    /// ok, or why it did not come.
    const Result<void>& begun() const { return begun_; }

private:
    WriterTurns* const turns_;
    const Result<void> begun_;
};

} // namespace flotilla::sqlite
