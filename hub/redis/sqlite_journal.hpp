#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/store/sqlite/connection.hpp>
#include <flotilla/store/sqlite/online_copy.hpp>

#include "hub/redis/entry_batch.hpp"
#include "hub/redis/stream_journal.hpp"

namespace flotilla::hub {

/// The journal as rows of one SQLite file (WAL, synchronous=FULL): what commit() answered survives kill -9 and power
/// loss. Entries of one stream are gathered into rows of up to 64, trims into one per stream; the first change that is
/// written after a commit opens the transaction. Nobody else may open the file meanwhile. Thread-safety: none.
class SqliteJournal final : public StreamJournal {
public:
    /// Opens or creates the file. Errors: unavailable with the reason; database_damaged; internal when a newer version
    /// wrote it.
    static Result<std::unique_ptr<SqliteJournal>> open(const std::filesystem::path& file);

    void stream_saved(std::int64_t stream, std::string_view key, const StreamHead& head) override;
    void stream_dropped(std::int64_t stream) override;
    void entry_added(std::int64_t stream, std::int64_t position, EntryId id, std::string_view body) override;
    void entry_removed(std::int64_t stream, std::int64_t position) override;
    void entries_removed_through(std::int64_t stream, std::int64_t position) override;
    void group_saved(std::int64_t stream, std::int64_t group, std::string_view name, EntryId last_id,
                     std::int64_t entries_read) override;
    void group_dropped(std::int64_t group) override;
    void consumer_saved(std::int64_t group, std::int64_t consumer, std::string_view name,
                        std::int64_t seen_ms) override;
    void consumer_dropped(std::int64_t group, std::int64_t consumer) override;
    void pending_saved(std::int64_t group, EntryId id, std::int64_t consumer, std::int64_t delivered_ms,
                       std::int64_t deliveries) override;
    void pending_removed(std::int64_t group, EntryId id) override;
    bool has_changes() const override { return changed_; }
    Result<void> commit() override;
    /// Copies the WAL into the file when it has grown enough.
    Result<void> tidy() override;
    Result<void> probe() override;
    /// The copy becomes `<file>.save`.
    Result<void> begin_copy() override;
    Result<bool> copy_some() override;
    void abandon() override;
    Result<void> load(StreamChanges& into) override;
    /// ok, or the damage of the file. Thread-safe.
    Result<void> health() const;

private:
    explicit SqliteJournal(std::unique_ptr<sqlite::Connection> connection);
    struct Trim {
        std::int64_t stream;
        std::int64_t through;
    };
    using Row = std::function<void(const SqlRow&)>;
    void change(std::string_view sql, std::initializer_list<SqlValue> arguments, const Row& row = {});
    EntryBatch& batch_of(std::int64_t stream);
    void write(EntryBatch& batch);
    void write_gathered();
    Result<void> load_entries(StreamChanges& into);
    Result<void> read(std::string_view sql, std::initializer_list<SqlValue> arguments, const RowCallback& row);
    Result<void> run(std::string_view sql, std::initializer_list<SqlValue> arguments, const Row& row);

    std::unique_ptr<sqlite::Connection> connection_;
    std::unique_ptr<sqlite::OnlineCopy> copy_; ///< while one is being made
    std::vector<EntryBatch> batches_;          ///< one per stream; only the first batches_used_ count
    std::size_t batches_used_ = 0;
    std::vector<Trim> trims_; ///< one per stream
    bool changed_ = false;
    std::optional<Error> failure_; ///< of a change since the last commit
};

} // namespace flotilla::hub
