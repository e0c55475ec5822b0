#pragma once

// Part of the tests of service/.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/scope.hpp>
#include <flotilla/node/health.hpp>
#include <flotilla/service/database_work.hpp>
#include <flotilla/service/test_simulation.hpp>
#include <flotilla/store/framework_tables.hpp>
#include <flotilla/store/test_account.hpp>

/// Hosts of one service, on one database, in a simulation. For tests only.
namespace flotilla::test {

using namespace std::chrono_literals;

template <class T>
T want(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().code() + ": " + result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// What happened is written by triggers in the commits themselves: a job's outcome as often as it is noted.
inline constexpr std::string_view kTables = R"sql(
CREATE TABLE effects (position BIGINT NOT NULL PRIMARY KEY, consumer TEXT NOT NULL, event_id TEXT NOT NULL);
CREATE TABLE paid (position BIGINT NOT NULL PRIMARY KEY, job TEXT NOT NULL);
CREATE TABLE outcomes (position BIGINT NOT NULL PRIMARY KEY, job TEXT NOT NULL);
)sql";
inline constexpr std::string_view kOutcomes =
    "CREATE TRIGGER IF NOT EXISTS outcome AFTER UPDATE OF state ON flotilla_jobs WHEN new.state IN ('done', 'parked') "
    "BEGIN INSERT INTO outcomes (job) VALUES (new.key); END";
inline constexpr std::array kMigrations{Migration{1, "0001_tables", kTables}};
inline constexpr Statement<std::string, std::string> kEffect{
    "INSERT INTO effects (consumer, event_id) VALUES ($1, $2)"};
inline constexpr Statement<std::string> kPay{"INSERT INTO paid (job) VALUES ($1)"};

inline constexpr std::uint32_t kPartitions = 2;
inline const TopicUse kHeard{TopicUse::Action::receive, "order.created", kPartitions, nullptr, false};

struct Seed {
    explicit Seed(std::uint64_t number)
        : Seed(number,
               "sqlite::memory:two-hosts-" + std::to_string(number) + (number % 3 == 0 ? "?bodies=twice" : "")) {}
    Seed(std::uint64_t number, std::string where) : seed(number), simulation(number), url(std::move(where)) {
        database = want(open_database(keeper, url, "shop"));
        want(keeper.finish(migrate()));
    }
    task<Result<void>> migrate() {
        Context context(keeper);
        co_await must(database->migrate(context, "flotilla", framework_migrations()));
        co_await must(database->migrate(context, "events", event_migrations()));
        co_await must(database->migrate(context, "service", kMigrations));
        co_await must(database->migrate(context, "account", account::kMigrations));
        co_await must(database->transact(context, [](Transaction& tx) {
            return tx.execute(kOutcomes); // no migration: those are split at semicolons
        }));
        co_return Result<void>();
    }
    template <class Body>
    void write(Body body) {
        Context context(keeper);
        want(keeper.finish(database->transact(context, std::move(body))));
    }
    template <class T>
    std::vector<T> read(std::string_view sql) {
        Context context(keeper);
        return want(keeper.finish(database->select<T>(context, sql)));
    }

    const std::uint64_t seed;
    Simulation simulation;
    SimulatedWorld keeper{simulation, 0s}; ///< of requests, which come to hosts that are well
    std::string url;
    std::unique_ptr<Database> database;
    SimulatedBroker broker;
    std::map<std::string, int> mails; ///< effects on the outside, by job
    std::uint64_t refused = 0;        ///< late writes
    bool both_versions = false;       ///< hosts that start from now on build version 2 of the projection as well
    std::uint64_t placed = 0, published = 0, enqueued = 0, paid = 0;
    std::array<std::uint64_t, kPartitions> heard{}; ///< events of another service
};

/// A host of the service: what a loop has, and its database's work.
class SimulatedHost {
public:
    SimulatedHost(Seed& seed, std::string name)
        : seed_(seed), name_(std::move(name)), world_(seed.simulation, seed.simulation.up_to(4s) - 2s),
          database_(want(open_database(world_, seed.url, "shop"))), bus_(seed.simulation, world_, seed.broker),
          telemetry_(log_of(name_)),
          work_(std::make_unique<DatabaseWork>(world_, *database_, bus_, telemetry_,
                                               DatabaseWork::Options{.service = "shop", .instance = name_}, duties())),
          scope_(std::make_unique<Scope>(root_)) {
        scope_->spawn(work_->run(scope_->context()));
    }
    ~SimulatedHost() {
        seed_.refused +=
            telemetry_.metrics.counter("flotilla_role_refused_writes_total", "", {{"role", "database"}}).value();
        scope_.reset(); // in the middle of what it does: nothing is given up
    }
    const std::string& name() const { return name_; }
    bool held() const { return work_->role().held(); }
    bool paused() const { return world_.paused; }
    void pause(bool paused) { world_.paused = paused; }
    HealthReport ready() const {
        HealthChecks checks;
        work_->add_checks(checks);
        return checks.report(false);
    }
    /// An orderly stop.
    void stop() {
        scope_->cancel(Error(Kind::unavailable, "shutting down"));
        while (scope_->running() > 0)
            ASSERT_TRUE(seed_.simulation.step(Instant::max()));
    }

private:
    /// Shown where one seed is played again.
    Logger log_of(const std::string& name) {
        const bool alone = std::getenv("FLOTILLA_SEED") != nullptr;
        return Logger(
            name, alone ? LogLevel::info : LogLevel::error, Logger::Format::json,
            [alone](std::string_view line) {
                if (alone) std::fwrite(line.data(), 1, line.size(), stderr);
            },
            [this] { return world_.now(); });
    }
    DatabaseDuties duties() {
        DatabaseDuties duties;
        for (const std::string consumer : {"", "ledger"}) {
            duties.subscribe(
                "shop", kHeard,
                [consumer](Transaction& tx, const Message& message) -> Result<void> {
                    tx.execute(kEffect, consumer, message.id);
                    return {};
                },
                consumer);
        }
        duties.jobs.emplace("mail", [this](Context& context, std::string_view payload, const JobTry&) {
            return mail(context, std::string(payload));
        });
        duties.jobs.emplace("pay", [this](Context& context, std::string_view payload, const JobTry& attempted) {
            return pay(context, std::string(payload), attempted);
        });
        const std::array<const EventFollower*, 2> versions{&account::balances_v1, &account::balances_v2};
        duties.follow(std::span(versions).first(seed_.both_versions ? 2 : 1));
        return duties;
    }
    task<Result<void>> mail(Context& context, std::string job) {
        co_await must(sleep_for(context, seed_.simulation.up_to(200ms)));
        ++seed_.mails[job];
        co_await must(sleep_for(context, seed_.simulation.up_to(200ms)));
        if (seed_.simulation.chance(5)) co_return Error(Kind::unavailable, "no mail server");
        co_return Result<void>();
    }
    task<Result<void>> pay(Context& context, std::string job, JobTry attempted) {
        co_await must(sleep_for(context, seed_.simulation.up_to(200ms)));
        co_await must(database_->transact(context, [job, attempted](Transaction& tx) {
            tx.execute(kPay, job);
            attempted.done(tx);
        }));
        co_return co_await sleep_for(context, seed_.simulation.up_to(200ms));
    }

    Seed& seed_;
    const std::string name_;
    SimulatedWorld world_;
    std::unique_ptr<Database> database_;
    SimulatedBus bus_;
    Telemetry telemetry_;
    std::unique_ptr<DatabaseWork> work_;
    Context root_{world_};
    std::unique_ptr<Scope> scope_;
};

} // namespace flotilla::test
