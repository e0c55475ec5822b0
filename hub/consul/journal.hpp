#pragma once

#include <memory>

#include <flotilla/discovery/event_list.hpp>
#include <flotilla/observe/log.hpp>
#include <flotilla/store/database.hpp>

#include "hub/consul/stores.hpp"

namespace flotilla::hub::consul {

/// Keeps the stores in `<data folder>/registry.db`: changes of one loop turn and of a running commit go together into
/// the next. Who answers a client waits for durable() first, readers too, so that nobody ever saw what a crash takes
/// back. Thread-safety: none; lives on the stores' loop.
class Journal {
public:
    Journal(World& world, Logger log, const std::string& data_folder, Stores& stores);

    /// A file of that name in the data folder says that the folder comes from a backup: checks that live by heartbeats
    /// are critical until they are heard again. Removed once that is noted.
    static constexpr std::string_view kRestoredMark = "restored";

    /// Opens the file and fills the stores. Errors: as open_database; internal (a row that cannot be read).
    task<Result<void>> load(Context& context);
    /// Commits until the context is cancelled, then what is left. Requires: loaded.
    task<void> run(Context& context);
    /// Waits until everything changed so far is on disk. Errors: why it could not be written; the context's reason.
    task<Result<void>> durable(Context& context);
    /// Starts a commit of changes nobody waits for.
    void wake() { changed_.notify(); }
    /// ok, or why the last commit failed, or what is wrong with the file.
    Result<void> health() const;

private:
    task<Result<void>> read_file(Context& context);
    task<Result<void>> distrust_heartbeats(Context& context);
    task<Result<void>> commit(Context& context);

    World& world_;
    Logger log_;
    std::string url_;
    std::string restored_mark_;
    Stores& stores_;
    std::unique_ptr<Database> database_;
    std::uint64_t durable_version_ = 0;
    std::uint64_t tried_version_ = 0;
    bool loaded_ = false;
    std::optional<Error> failure_;
    Event changed_;
    EventList committed_;
};

} // namespace flotilla::hub::consul
