#include <flotilla/store/sqlite/writer.hpp>

#include <algorithm>
#include <array>

#include <flotilla/store/sqlite/writer_transaction.hpp>

namespace flotilla::sqlite {
namespace {

constexpr std::array kCommitBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0};
constexpr std::array kGroupBounds{1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0};

// A checkpoint waits for the disk twice while transactions wait for it: every 16 MiB, 4000 pages, 64 concurrent ones
// are a sixth more than every 4, and their p99 half of it; more still brings no more. A page changed often is copied
// once.
constexpr int kCheckpointPages = 4000;

constexpr Duration kLookAtNamesEvery = std::chrono::milliseconds(100);

/// What everybody in a transaction hears that SQLite itself took back.
Error rolled_back(const Result<void>& outcome) {
    if (!outcome && outcome.error().code() == FileDamage::kCode) return outcome.error();
    return {Kind::unavailable, "the database had to roll back: " + (outcome ? "" : outcome.error().message())};
}

} // namespace

Writer::Writer(World& world, std::unique_ptr<Connection> connection, Options options)
    : options_(options), connection_(std::move(connection)), worker_(world.start_worker("sqlite")) {}

Writer::~Writer() {
    stop();
    // Whatever keeps it from it, the WAL is as durable as the file and read at the next opening.
    if (empties_log_)
        (void)connection_->empty_log();
    else
        connection_->keep_log();
}

void Writer::attach(std::shared_ptr<WriterClient> client) {
    const std::lock_guard lock(mutex_);
    clients_.push_back(std::move(client));
}

void Writer::detach(const std::shared_ptr<WriterClient>& client) {
    std::unique_lock lock(mutex_);
    std::erase(clients_, client);
    std::erase_if(queue_, [&](const auto& request) {
        if (request->client != client) return false;
        request->queued = false;
        return true;
    });
    // Later batches hold nothing of this client.
    const auto current = batch_number_;
    batch_done_.wait(lock, [&] { return !running_batch_ || batch_number_ != current; });
}

Result<void> Writer::submit(const std::shared_ptr<WriteRequest>& request) {
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() >= kQueueMax) {
            return Error(Kind::unavailable, "too many transactions wait for the database")
                .with_retry_after(std::chrono::seconds(1));
        }
        request->place = queue_.insert(queue_.end(), request);
        request->queued = true;
        wake = !std::exchange(draining_, true);
    }
    if (wake) worker_->submit([this] { drain(); });
    return {};
}

bool Writer::withdraw(WriteRequest& request) {
    const std::lock_guard lock(mutex_);
    if (!request.queued) return false;
    request.queued = false;
    queue_.erase(request.place);
    return true;
}

std::size_t Writer::queued() const {
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

void Writer::report_to(Metrics& metrics) {
    {
        const std::lock_guard lock(mutex_);
        if (instruments_ && instruments_->owner == &metrics) return;
    }
    Instruments made{
        .owner = &metrics,
        .bodies_per_commit = &metrics.histogram("flotilla_database_bodies_per_commit",
                                                "Transactions that share one commit of the file.", {}, kGroupBounds),
        .commit_duration = &metrics.histogram("flotilla_database_commit_duration_seconds",
                                              "How long it takes to make a commit durable.", {}, kCommitBounds),
        .failed_commits =
            &metrics.counter("flotilla_database_failed_commits_total", "Commits that failed: disk full or broken."),
        .queued = metrics.observe("flotilla_database_queued", "Transactions that wait for the writer.", {},
                                  [this] { return static_cast<double>(queued()); })};
    // The former ones end without the lock: a scrape that reads them wants it.
    std::optional<Instruments> former(std::move(made));
    {
        const std::lock_guard lock(mutex_);
        former.swap(instruments_);
    }
}

void Writer::report_no_more(const Metrics& metrics) {
    std::optional<Instruments> former; // ends without the lock, as above
    const std::lock_guard lock(mutex_);
    if (instruments_ && instruments_->owner == &metrics) former.swap(instruments_);
}

Writer::Statistics Writer::statistics() const {
    const std::lock_guard lock(mutex_);
    return statistics_;
}

void Writer::drain() {
    while (has_work())
        run_batch();
}

bool Writer::has_work() {
    const std::lock_guard lock(mutex_);
    draining_ = !queue_.empty();
    return draining_;
}

void Writer::run_batch() {
    const WriterTurn turn(options_.turns, kTurnPatience);
    auto batch = take_batch();
    if (batch.empty()) return; // taken back meanwhile
    look_at_names(batch.front()->client->world());
    if (!turn.begun()) {
        refuse(batch, turn.begun().error());
    } else if (const auto well = connection_->damage().check(); !well) {
        // Written into a damaged file it would be acknowledged and lost.
        refuse(batch, well.error());
    } else {
        for (std::size_t done = 0; done < batch.size();)
            done += run_transaction(std::span(batch).subspan(done));
    }
    deliver(std::move(batch));
    if (turn.begun()) tidy();
}

/// Written into a file that has no name any more it would be acknowledged and lost. Not with each commit: two looks at
/// names cost as much as an insert.
void Writer::look_at_names(const World& world) {
    const Timestamp now = world.now();
    const bool recent = now >= names_seen_at_ && now - names_seen_at_ < kLookAtNamesEvery; // the clock may be set back
    if (recent) return;
    names_seen_at_ = now;
    (void)connection_->check_names(); // noted as damage
}

void Writer::refuse(Requests& batch, const Error& error) {
    for (const auto& request : batch)
        request->outcome = error;
    const std::lock_guard lock(mutex_);
    statistics_.bodies += batch.size();
}

/// Behind the answers, which need not wait for it. A commit of SQLite's own would not tell of a checkpoint that fails.
void Writer::tidy() {
    if (connection_->wal_pages() < kCheckpointPages || !connection_->damage().check()) return;
    note_checkpoint(connection_->checkpoint_at(kCheckpointPages));
}

void Writer::note_checkpoint(Result<void> outcome) {
    const std::lock_guard lock(mutex_);
    if (!outcome) {
        log_failure_ = std::move(outcome.error()).with_context("the write-ahead log grows, since it cannot be copied");
    } else if (!connection_->checkpoint_failed()) {
        log_failure_.reset();
    }
}

Writer::Requests Writer::take_batch() {
    const std::lock_guard lock(mutex_);
    Requests batch;
    while (!queue_.empty() && batch.size() < kBatchMax) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
        batch.back()->queued = false;
    }
    running_batch_ = !batch.empty();
    ++batch_number_;
    return batch;
}

void Writer::deliver(Requests batch) {
    std::vector<std::string> signals;
    for (const auto& request : batch) {
        if (request->outcome) std::ranges::move(request->signals, std::back_inserter(signals));
    }
    std::ranges::sort(signals);
    signals.erase(std::ranges::unique(signals).begin(), signals.end());
    if (options_.turns && !signals.empty()) options_.turns->note_signals();
    const std::lock_guard lock(mutex_);
    for (const auto& client : clients_) {
        // Moved, so that the bodies and what they captured are destroyed on the loop they came from.
        Requests own;
        for (auto& request : batch) {
            if (request && request->client == client) own.push_back(std::move(request));
        }
        if (own.empty() && signals.empty()) continue;
        client->world().post([client, own = std::move(own), signals] { client->receive(own, signals); });
    }
    running_batch_ = false;
    batch_done_.notify_all();
}

/// One transaction of the file with as many of the requests as it takes. Returns how many are done.
std::size_t Writer::run_transaction(std::span<const std::shared_ptr<WriteRequest>> requests) {
    const bool guarded = options_.bodies_twice || guarded_left_ > 0;
    if (guarded_left_ > 0) --guarded_left_;
    if (const auto done = try_transaction(requests, guarded)) return *done;
    guarded_left_ = kGuarded;
    return try_transaction(requests, true).value();
}

/// nullopt: all of it was taken back because a body failed after it wrote; only without guard.
std::optional<std::size_t> Writer::try_transaction(std::span<const std::shared_ptr<WriteRequest>> requests,
                                                   bool guarded) {
    const auto fail_first = [&](std::size_t count, const Error& reason) {
        for (const auto& request : requests.first(count)) {
            if (request->outcome) request->outcome = reason;
        }
        (void)connection_->take_fault(); // it is the reason
        note_failure(count, reason);
        return count;
    };
    // A client's world lives as long as there are requests of it here; the one that opened the file may have gone.
    const World& world = requests.front()->client->world();
    const Timestamp begun_at = world.now();
    if (auto begun = connection_->begin(); !begun) return fail_first(requests.size(), begun.error());
    std::size_t count = 0;
    bool wrote = false;
    bool changed_rows = false;
    for (const auto& request : requests) {
        request->waited = begun_at - request->now;
        const auto writes_before = connection_->writes();
        const auto changes_before = connection_->total_changes();
        guarded ? run_guarded(*request) : run_body(*request);
        ++count;
        // A full disk or an I/O error ends the whole transaction, and with it the bodies before this one.
        if (!connection_->in_transaction()) return fail_first(count, rolled_back(request->outcome));
        const bool this_wrote = connection_->writes() != writes_before;
        if (request->outcome) {
            wrote = wrote || this_wrote;
            changed_rows = changed_rows || connection_->total_changes() != changes_before;
        } else if (this_wrote && !guarded) {
            connection_->rollback();
            if (wrote) return std::nullopt;
            // There was nothing else to take back.
            for (const auto& done : requests.first(count))
                done->bodies = world.now() - begun_at;
            note_fault();
            note_done(requests.first(count), false, false);
            return count;
        }
    }
    const Timestamp bodies_done_at = world.now();
    const auto committed = connection_->commit();
    const Timestamp committed_at = world.now();
    const auto done = requests.first(count);
    for (const auto& request : done) {
        request->bodies = bodies_done_at - begun_at;
        request->commit = committed_at - bodies_done_at;
    }
    if (!committed) {
        connection_->rollback();
        return fail_first(count, committed.error());
    }
    note_fault();
    note_done(done, true, changed_rows);
    return count;
}

void Writer::run_guarded(WriteRequest& request) {
    if (options_.bodies_twice && !run_in_savepoint(request, false)) return;
    run_in_savepoint(request, true);
}

/// Keeps the body's changes when it succeeded and `keep` is set. Returns whether the transaction goes on.
bool Writer::run_in_savepoint(WriteRequest& request, bool keep) {
    request.outcome = connection_->savepoint();
    if (!request.outcome) {
        connection_->rollback();
        return false;
    }
    run_body(request);
    if (!connection_->in_transaction()) return false;
    Result<void> ended;
    if (!request.outcome || !keep) ended = connection_->rollback_to_savepoint();
    if (ended) ended = connection_->release();
    if (ended) return true;
    request.outcome = std::move(ended);
    connection_->rollback();
    return false;
}

void Writer::run_body(WriteRequest& request) {
    request.signals.clear();
    WriterTransaction transaction(*connection_, request);
    try {
        request.outcome = request.body->run(transaction);
    } catch (const std::exception& exception) {
        request.outcome = Error(Kind::internal, std::string("a transaction body threw: ") + exception.what());
    } catch (...) {
        request.outcome = Error(Kind::internal, "a transaction body threw something that is no std::exception");
    }
    // It comes first: what the body made of the nothing that it was answered is of no interest.
    if (transaction.failed()) request.outcome = *transaction.failure();
    if (request.outcome && connection_->has_deferred_violations())
        request.outcome = Error(Kind::conflict, "foreign_key_violation", "FOREIGN KEY constraint failed");
}

void Writer::note_done(std::span<const std::shared_ptr<WriteRequest>> requests, bool committed, bool changed_rows) {
    const std::lock_guard lock(mutex_);
    statistics_.bodies += requests.size();
    if (committed) ++statistics_.commits;
    if (changed_rows && instruments_) {
        instruments_->bodies_per_commit->observe(static_cast<double>(requests.size()));
        instruments_->commit_duration->observe(requests.front()->commit);
    }
    // A transaction that changed nothing touches no disk: it says nothing about its health.
    if (changed_rows) failure_.reset();
}

/// Of a statement: its body may have kept it to itself.
void Writer::note_fault() {
    if (const auto fault = connection_->take_fault()) note_failure(0, *fault);
}

void Writer::note_failure(std::uint64_t bodies, const Error& error) {
    const std::lock_guard lock(mutex_);
    statistics_.bodies += bodies;
    const bool damaged = error.code() == FileDamage::kCode; // kept elsewhere, for ever
    if (error.kind() != Kind::unavailable && !damaged) return;
    if (!damaged) failure_ = error;
    if (instruments_ && bodies > 0) instruments_->failed_commits->add();
}

Result<void> Writer::health() {
    if (auto well = connection_->check_names(); !well) return well;
    if (auto well = connection_->damage().check(); !well) return well;
    std::optional<Error> failure;
    bool probe_now = false;
    {
        const std::lock_guard lock(mutex_);
        if (!failure_ && !log_failure_) return {};
        failure = failure_ ? *failure_ : *log_failure_;
        probe_now = !std::exchange(probing_, true);
    }
    // While this service is not ready nobody sends it work that would show the end of the trouble.
    if (probe_now) worker_->submit([this] { probe(); });
    return std::move(*failure);
}

void Writer::probe() {
    const WriterTurn turn(options_.turns, kTurnPatience);
    auto outcome = turn.begun() ? connection_->begin() : turn.begun();
    // Writes the first page as it is; nothing else uses this number (versions are kept in flotilla_migrations).
    if (outcome) outcome = connection_->script("PRAGMA user_version = 0");
    if (outcome) outcome = connection_->commit();
    connection_->rollback();
    if (turn.begun() && connection_->checkpoint_failed()) note_checkpoint(connection_->checkpoint());
    const std::lock_guard lock(mutex_);
    probing_ = false;
    if (outcome)
        failure_.reset();
    else
        failure_ = std::move(outcome.error());
}

} // namespace flotilla::sqlite
