#pragma once

#include <array>
#include <condition_variable>
#include <coroutine>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <flotilla/store/database.hpp>
#include <flotilla/store/sqlite/connection.hpp>
#include <flotilla/store/sqlite/writer_client.hpp>
#include <flotilla/store/sqlite/writer_turns.hpp>

namespace flotilla::sqlite {

/// One transaction body on its way to the writer and back.
struct WriteRequest {
    std::shared_ptr<TransactionBody> body;
    Timestamp now;
    TraceContext trace;
    std::array<std::uint64_t, 2> id_seed{};
    std::shared_ptr<WriterClient> client;

    // The writer's while it runs the body, the client's loop's afterwards.
    Result<void> outcome;
    std::vector<std::string> signals;
    Duration waited = Duration::max(); ///< in the queue
    Duration bodies{}, commit{};       ///< those of the transaction it is in; making that durable

    // Only on the client's loop.
    std::coroutine_handle<> waiter; ///< null: nobody waits

    // Guarded by the writer's mutex.
    bool queued = false;
    std::list<std::shared_ptr<WriteRequest>>::iterator place;
};

/// How long a process waits for its turn to write, where several do.
inline constexpr Duration kTurnPatience = std::chrono::seconds(5);

/// Owns the one writing connection of a file and the thread it lives on. Each wake-up takes everything that waits (up
/// to kBatchMax bodies) into one transaction, one COMMIT, then the answers. A failed COMMIT fails every body in it.
///
/// A body that fails must leave nothing. Most that do have written nothing yet, so bodies run bare first. One that
/// fails after it wrote takes the whole transaction back, which is then run again with a savepoint around each body,
/// and so are the next kGuarded ones: a savepoint costs as much as an insert, a repetition as much as the transaction.
///
/// Where several processes write the file, each batch and its checkpoint wait for their turn: they are the only writer
/// meanwhile, as SQLite 3.40 needs it (see Role::writer), and bodies that wait can still be taken back.
/// Thread-safe.
class Writer {
public:
    static constexpr std::size_t kQueueMax = 4096;
    static constexpr std::size_t kBatchMax = 256;
    static constexpr int kGuarded = 64;

    struct Options {
        /// Runs each body, rolls it back and runs it again: finds bodies that consume their captures.
        bool bodies_twice = false;
        WriterTurns* turns = nullptr; ///< with other processes; null: no other one writes the file
    };
    struct Statistics {
        std::uint64_t commits = 0; ///< transactions of the file: fsyncs, when they changed something
        std::uint64_t bodies = 0;  ///< bodies run in them
    };

    Writer(World& world, std::unique_ptr<Connection> connection, Options options);
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    /// Leaves everything in the file and nothing in its WAL, where readers and disk allow it. Requires: every client
    /// detached.
    ~Writer();
    /// Finishes what was submitted; from now on nothing is written. Requires: every client detached.
    void stop() { worker_.reset(); }
    /// The destructor does not: another process has the file open and does so as it ends.
    void leave_log() { empties_log_ = false; }

    /// From now on the client's loop gets answers and signals.
    void attach(std::shared_ptr<WriterClient> client);
    /// Drops the client's queued bodies and waits for the running ones: afterwards nothing is posted to its loop.
    void detach(const std::shared_ptr<WriterClient>& client);

    /// Errors: unavailable when the queue is full.
    Result<void> submit(const std::shared_ptr<WriteRequest>& request);
    /// Takes a body back that has not begun. Returns whether that was so.
    bool withdraw(WriteRequest& request);

    /// ok, or what is wrong: damage of the file, which stays; a disk that does not take what is written, until it does
    /// (asking also tries).
    Result<void> health();
    std::size_t queued() const;
    Statistics statistics() const;
    /// See Database::report_to.
    void report_to(Metrics& metrics);
    /// Takes report_to() back, if these are the ones.
    void report_no_more(const Metrics& metrics);

private:
    using Requests = std::vector<std::shared_ptr<WriteRequest>>;

    void drain();
    bool has_work();
    void run_batch();
    void look_at_names(const World& world);
    void refuse(Requests& batch, const Error& error);
    void tidy();
    void note_fault();
    void note_checkpoint(Result<void> outcome);
    Requests take_batch();
    void deliver(Requests batch);
    std::size_t run_transaction(std::span<const std::shared_ptr<WriteRequest>> requests);
    std::optional<std::size_t> try_transaction(std::span<const std::shared_ptr<WriteRequest>> requests, bool guarded);
    void run_guarded(WriteRequest& request);
    bool run_in_savepoint(WriteRequest& request, bool keep);
    void run_body(WriteRequest& request);
    void probe();
    void note_done(std::span<const std::shared_ptr<WriteRequest>> requests, bool committed, bool changed_rows);
    void note_failure(std::uint64_t bodies, const Error& error);

    const Options options_;
    std::unique_ptr<Connection> connection_; // the worker's
    bool empties_log_ = true;
    int guarded_left_ = 0;    // the worker's
    Timestamp names_seen_at_; // the worker's

    mutable std::mutex mutex_;
    std::condition_variable batch_done_;
    std::list<std::shared_ptr<WriteRequest>> queue_;
    std::vector<std::shared_ptr<WriterClient>> clients_;
    bool draining_ = false;
    bool running_batch_ = false;
    bool probing_ = false;
    std::uint64_t batch_number_ = 0;
    std::optional<Error> failure_;     ///< of a commit or a statement; over with the next commit
    std::optional<Error> log_failure_; ///< of a checkpoint; over with the next one
    Statistics statistics_;
    struct Instruments {
        Metrics* owner;
        Histogram* bodies_per_commit;
        Histogram* commit_duration;
        Counter* failed_commits;
        ObservedGauge queued;
    };
    std::optional<Instruments> instruments_;

    std::unique_ptr<Worker> worker_; // last: its destructor finishes what uses the others
};

} // namespace flotilla::sqlite
