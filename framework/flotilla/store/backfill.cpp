#include <flotilla/store/backfill.hpp>

#include <fmt/format.h>

namespace flotilla {
namespace {

/// Migrations and backfills of a component count their versions apart.
std::string recorded_as(const std::string& component) { return component + ".backfill"; }

Error error(const Backfill& backfill, const Error& cause) {
    return {cause.kind(), cause.code(), fmt::format("backfill {}: {}", backfill.name, cause.message())};
}

constexpr Query<std::int64_t, std::string> kLastVersion{
    "SELECT coalesce(max(version), 0) FROM flotilla_migrations WHERE component = $1"};
constexpr Statement<std::string, int, std::string_view, Timestamp> kRecord{
    "INSERT INTO flotilla_migrations (component, version, name, checksum, applied_at) VALUES ($1, $2, $3, '', $4) "
    "ON CONFLICT (component, version) DO NOTHING"}; // another instance may have run it beside this one

task<Result<void>> run(Context& context, Database& database, std::string component, Backfill backfill, Logger log) {
    log.info(context, "backfill begins", {{"backfill", backfill.name}});
    std::int64_t changed = 0, left = 0;
    for (std::optional<std::string> after = ""; after;) {
        auto step = co_await database.transact(
            context, [backfill, component, from = *after](Transaction& transaction) -> Result<BackfillStep> {
                auto done = backfill.step(transaction, from);
                if (done && !done->next)
                    transaction.execute(kRecord, recorded_as(component), backfill.version, backfill.name,
                                        transaction.now());
                return done;
            });
        if (!step) co_return error(backfill, step.error());
        changed += step->changed;
        left += static_cast<std::int64_t>(step->left.size());
        for (const auto& row : step->left)
            log.warning(context, "backfill left a row as it was", {{"backfill", backfill.name}, {"reason", row}});
        after = std::move(step->next);
    }
    log.info(context, "backfill done", {{"backfill", backfill.name}, {"changed", changed}, {"left", left}});
    co_return Result<void>();
}

} // namespace

task<Result<void>> run_backfills(Context& context, Database& database, std::string component, Backfills backfills,
                                 Logger log) {
    const auto done = co_await must(database.transact(context, [component](Transaction& transaction) {
        return transaction.find(kLastVersion, recorded_as(component)).value_or(0);
    }));
    if (done > static_cast<std::int64_t>(backfills.size())) {
        co_return Error(Kind::internal, fmt::format("backfill {} of {} was run, but this program does not have it; it "
                                                    "is older than its database",
                                                    done, component));
    }
    for (const auto& backfill : backfills.subspan(static_cast<std::size_t>(done)))
        co_await must(run(context, database, component, backfill, log));
    co_return Result<void>();
}

} // namespace flotilla
