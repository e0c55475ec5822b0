#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <flotilla/aio/event.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/store/database.hpp>
#include <flotilla/store/role_table.hpp>

namespace flotilla {

/// The time during which one host holds a role, as its work sees it: a database whose transactions are refused once
/// another host has taken over. Thread-safety: none; belongs to its loop. Lives longer than the work it was given to.
class Tenure {
public:
    /// refused: counts the writes that came too late.
    Tenure(Database& database, std::string role, std::int64_t epoch, Counter& refused)
        : database_(database), role_(std::move(role)), epoch_(epoch), refused_(refused) {}
    Tenure(const Tenure&) = delete;
    Tenure& operator=(const Tenure&) = delete;

    /// For reads and signals. What it writes, work writes by transact().
    Database& database() const { return database_; }
    const std::string& role() const { return role_; }
    std::int64_t epoch() const { return epoch_; }

    /// Database::transact, with the epoch checked first in the same transaction: correct whatever the clocks say and
    /// however long this host was paused. Errors: those of Database::transact; unavailable `role_lost`, after which the
    /// tenure is over.
    template <class Body, class R = detail::BodyOutcome<std::invoke_result_t<const Body&, Transaction&>>::type>
    task<R> transact(Context& context, Body body) {
        auto outcome = co_await database_.transact(
            context, [role = role_, epoch = epoch_, body = std::move(body)](Transaction& transaction) -> R {
                roles::check_epoch(transaction, role, epoch);
                if (transaction.failed()) return *transaction.failure();
                return detail::outcome_of<R>(body, transaction);
            });
        if (!outcome && outcome.error().code() == kLost) note_refused();
        co_return outcome;
    }

    /// Another host has taken over: known once a write was refused, or the role was looked at.
    bool lost() const { return lost_; }
    void end() {
        lost_ = true;
        wake.notify();
    }
    Event wake; ///< of whoever keeps the role: it was lost, or is to be looked at

    static constexpr std::string_view kLost = "role_lost";

private:
    void note_refused() {
        refused_.add();
        end();
    }

    Database& database_;
    const std::string role_;
    const std::int64_t epoch_;
    Counter& refused_;
    bool lost_ = false;
};

/// Work that only the holder of a role does. An object lives for one tenure: what it has in memory is from the database
/// as it was when the tenure began, and goes with it.
class RoleWork {
public:
    virtual ~RoleWork() = default;
    /// Works until the context is cancelled: the role was lost, or the host stops.
    virtual task<void> run(Context& context) = 0;
    /// ok, or what is wrong. For /readyz.
    virtual Result<void> health() const { return {}; }
};

/// A role that one host at a time holds, over all hosts (loops, processes, machines) on one database: a lease in the
/// framework's own table with a fencing epoch that grows with each change of holder.
///
/// Who may write is decided by the epoch alone, in each transaction (see Tenure). When another takes over is a matter
/// of time, measured by the one who waits on its own monotonic clock: it asks the holder, by a row, whether it lives,
/// and takes over when that stays unanswered for `patience`. No two clocks are ever compared, and where nobody waits
/// nothing is written. A holder that gives up, or whose process is known to have ended, is followed at once; one that
/// was paused or killed within `look_every + ask_every + patience`. Thread-safety: none; lives on one loop.
class Role {
public:
    struct Options {
        Duration look_every = std::chrono::milliseconds(500); ///< at the row, when no signal comes
        Duration ask_every = std::chrono::seconds(1);         ///< after an answer
        Duration patience = std::chrono::milliseconds(2500);  ///< with a holder that does not answer
    };
    /// holder: the name others see, for people.
    Role(World& world, Database& database, std::string role, std::string holder, Telemetry& telemetry, Options options);
    Role(World& world, Database& database, std::string role, std::string holder, Telemetry& telemetry)
        : Role(world, database, std::move(role), std::move(holder), telemetry, Options{}) {}
    ~Role();

    /// Takes the role, runs `work` as long as it is held, then waits for it again; until the context is cancelled.
    /// `work` ends when its context does; then the role is given up. Rethrows what `work` throws.
    using Work = std::function<task<void>(Context&, Tenure&)>;
    task<void> run(Context& context, Work work);

    bool held() const;
    /// "held, epoch 3", "standby behind shop-2, epoch 3". For /readyz.
    std::string state() const;
    /// ok, or why nobody can tell whose it is: the latest look at the role failed. For /readyz.
    Result<void> health() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla
