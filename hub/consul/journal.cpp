#include "hub/consul/journal.hpp"

#include <array>
#include <filesystem>

#include "hub/consul/rows.hpp"

namespace flotilla::hub::consul {
namespace {

constexpr std::array<Migration, 1> kMigrations{{
    {1, "0001_registry",
     "CREATE TABLE registry (kind TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, id));\n"},
}};

constexpr Duration kRetryPause = std::chrono::milliseconds(500);
constexpr Duration kLastCommit = std::chrono::seconds(2);

/// A transaction body: writes the rows. May run twice.
struct WriteRows {
    std::vector<RowChange> rows;

    Result<void> operator()(Transaction& transaction) const {
        for (const auto& row : rows) {
            auto done = row.document
                            ? transaction.execute("INSERT INTO registry (kind, id, document) VALUES ($1, $2, $3) "
                                                  "ON CONFLICT (kind, id) DO UPDATE SET document = excluded.document",
                                                  row.kind, row.id, *row.document)
                            : transaction.execute("DELETE FROM registry WHERE kind = $1 AND id = $2", row.kind, row.id);
            if (!done) return std::move(done.error());
        }
        return {};
    }
};

} // namespace

Journal::Journal(World& world, Logger log, const std::string& data_folder, Stores& stores)
    : world_(world), log_(std::move(log)), url_(sqlite_url(data_folder + "/registry.db")),
      restored_mark_(data_folder + "/" + std::string(kRestoredMark)), stores_(stores) {}

task<Result<void>> Journal::load(Context& context) {
    auto done = co_await read_file(context);
    if (!done) failure_ = done.error();
    loaded_ = done.has_value();
    co_return done;
}

task<Result<void>> Journal::read_file(Context& context) {
    auto database = open_database(world_, url_, "hub");
    if (!database) co_return std::move(database.error());
    co_await must((*database)->migrate(context, "registry", kMigrations));
    auto rows = co_await must(
        (*database)->select<StoredRow>(context, "SELECT kind, id, document FROM registry ORDER BY kind, id"));
    co_await must(restore(stores_, rows, world_.monotonic()));
    database_ = std::move(*database);
    if (stores_.node.id.empty()) {
        stores_.node.id = new_id(world_);
        stores_.changes.touch(Table::meta, "registry");
    }
    failure_.reset();
    durable_version_ = tried_version_ = 0;
    if (std::filesystem::exists(restored_mark_)) co_await must(distrust_heartbeats(context));
    log_.info(context, "registry loaded",
              {{"services", stores_.registry.services().size()},
               {"keys", stores_.kv.entries().size()},
               {"index", stores_.index.current}});
    co_return Result<void>();
}

/// A backup knows instances of its own time: their addresses may be another fleet's by now.
task<Result<void>> Journal::distrust_heartbeats(Context& context) {
    std::vector<std::string> ids;
    for (const auto& [id, check] : stores_.registry.checks()) {
        if (check.definition.type == CheckType::ttl) ids.push_back(id);
    }
    for (const auto& id : ids) {
        co_await must(stores_.registry.report_ttl(id, CheckStatus::critical,
                                                  "not heard since the registry was restored", world_.monotonic()));
    }
    co_await must(commit(context));
    std::error_code failed;
    if (!std::filesystem::remove(restored_mark_, failed))
        co_return Error(Kind::unavailable, "cannot remove " + restored_mark_ + ": " + failed.message());
    co_return Result<void>();
}

task<Result<void>> Journal::commit(Context& context) {
    const auto version = stores_.changes.version;
    auto changed = std::exchange(stores_.changes.changed, {});
    auto done = co_await database_->transact(context, WriteRows{rows_of(stores_, changed)});
    tried_version_ = version;
    if (done) {
        durable_version_ = version;
        failure_.reset();
    } else {
        stores_.changes.changed.merge(changed); // written with the next try
        failure_ = done.error();
    }
    committed_.notify_all();
    co_return done;
}

task<void> Journal::run(Context& context) {
    while (!context.cancelled()) {
        if (durable_version_ == stores_.changes.version) {
            if (auto woken = co_await changed_.wait(context); !woken) break;
            continue;
        }
        const bool failed_before = failure_.has_value();
        auto done = co_await commit(context);
        if (done || context.cancelled()) continue;
        if (!failed_before) log_.error(context, "the registry cannot be written", {{"reason", done.error().message()}});
        // Ends early with the context, which the loop looks at.
        (void)co_await sleep_for(context, kRetryPause);
    }
    if (durable_version_ == stores_.changes.version) co_return;
    Context last(world_);
    Context limited(last, kLastCommit);
    if (auto done = co_await commit(limited); !done) {
        log_.error("the registry's last changes were not written", {{"reason", done.error().message()}});
    }
}

task<Result<void>> Journal::durable(Context& context) {
    const auto version = stores_.changes.version;
    if (durable_version_ >= version) co_return Result<void>();
    changed_.notify();
    while (durable_version_ < version) {
        co_await must(committed_.wait(context));
        if (failure_ && tried_version_ >= version) co_return *failure_;
    }
    co_return Result<void>();
}

Result<void> Journal::health() const {
    if (failure_) return *failure_;
    if (!loaded_) return Error(Kind::unavailable, "the registry is loading");
    return database_->health();
}

} // namespace flotilla::hub::consul
