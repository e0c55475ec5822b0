// The database's work over several hosts: one does it, another takes over, and what a late one writes is refused.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include <gtest/gtest.h>

#include <flotilla/bus/outbox.hpp>
#include <flotilla/service/test_simulated_host.hpp>

namespace flotilla::database_work_test {
namespace {

using namespace test;
using namespace std::chrono_literals;

constexpr Duration kTakeOver = 5s;

/// Requests, events and jobs come, while one of two hosts at a time is paused, killed or stopped.
class TwoHosts {
public:
    explicit TwoHosts(Seed& seed) : seed_(seed) {
        for (auto& host : hosts_)
            host = start();
    }

    void play() {
        run_for(2s);
        for (int round = 0; round < 3; ++round) {
            disturb();
            run_for(seed_.simulation.up_to(1s));
        }
        settle();
    }

private:
    std::unique_ptr<SimulatedHost> start() {
        return std::make_unique<SimulatedHost>(seed_, "shop-" + std::to_string(++started_));
    }
    SimulatedHost* holder() {
        for (auto& host : hosts_)
            if (host && host->held() && !host->paused()) return host.get();
        return nullptr;
    }
    /// Most often the one that works.
    std::unique_ptr<SimulatedHost>& victim() {
        for (auto& host : hosts_)
            if (host->held() && seed_.simulation.chance(80)) return host;
        return hosts_[seed_.simulation.dice(hosts_.size())];
    }

    void disturb() {
        auto& host = victim();
        const bool worked = host->held();
        const auto how = seed_.simulation.dice(10);
        if (how < 6) {
            host->pause(true);
            expect_followed(worked, kTakeOver);
            run_for(seed_.simulation.up_to(3s));
            host->pause(false);
        } else {
            if (how == 9) host->stop();
            host.reset();
            expect_followed(worked, how == 9 ? 1s : kTakeOver);
            run_for(seed_.simulation.up_to(3s));
            host = start();
        }
    }
    /// The other host is well all the time.
    void expect_followed(bool worked, Duration within) {
        const auto until = seed_.simulation.now + within;
        while (worked && holder() == nullptr && seed_.simulation.now < until)
            run_for(100ms);
        EXPECT_NE(holder(), nullptr) << "nobody has taken over in time";
        run_for(seed_.simulation.up_to(2s));
    }
    /// Some 7 things come in each second.
    void run_for(Duration duration) {
        const auto until = seed_.simulation.now + duration;
        while (seed_.simulation.now < until) {
            seed_.simulation.run_until(std::min(until, seed_.simulation.now + seed_.simulation.up_to(300ms)));
            come();
        }
    }
    void come() {
        const auto what = seed_.simulation.dice(5);
        if (what == 0) {
            publish();
        } else if (what == 1) {
            enqueue();
        } else if (what == 2) {
            pay();
        } else {
            hear();
        }
    }
    void publish() {
        const auto count = 1 + seed_.simulation.dice(3);
        seed_.write([first = seed_.published, count](Transaction& tx) -> Result<void> {
            for (auto number = first; number < first + count; ++number)
                publish_event(tx, "shop.sold", number % kPartitions, "k", std::to_string(number));
            return {};
        });
        seed_.published += count;
    }
    void enqueue() {
        const auto number = seed_.enqueued++;
        seed_.write([number](Transaction& tx) -> Result<void> {
            const auto job = std::to_string(number);
            enqueue_job(tx, number % 2 == 0 ? "mail" : "pay", job, {.key = job});
            return {};
        });
    }
    void pay() {
        const auto id = std::to_string(seed_.simulation.dice(3));
        ++seed_.paid;
        seed_.write([id](Transaction& tx) {
            auto instance = load(tx, account::accounts, id);
            NewEvents happened;
            if (!instance.exists()) happened.add(account::opened, {.owner = id});
            append(tx, account::accounts, instance, happened.add(account::paid, {.amount = 1}));
        });
        if (seed_.paid == 5) seed_.both_versions = true; // from the next start on
    }
    void hear() {
        const auto partition = static_cast<std::uint32_t>(seed_.simulation.dice(kPartitions));
        const auto sequence = ++seed_.heard[partition];
        const Message message{.topic = "order.created",
                              .partition = partition,
                              .key = "k",
                              .sequence = sequence,
                              .id = std::to_string(partition) + "-" + std::to_string(sequence),
                              .producer = "orders",
                              .payload = "{}"};
        seed_.broker.accept(message);
        if (seed_.simulation.chance(5)) seed_.broker.accept(message);
    }
    /// Nothing comes any more, and all hosts are well: what is left gets done.
    void settle() {
        for (int second = 0; second < 180 && !settled(); ++second)
            seed_.simulation.run_until(seed_.simulation.now + 1s);
    }
    bool settled() {
        const auto expected = 2 * (seed_.heard[0] + seed_.heard[1]);
        return seed_.read<std::uint64_t>("SELECT count(*) FROM outcomes")[0] >= seed_.enqueued &&
               seed_.read<std::uint64_t>("SELECT count(*) FROM effects")[0] >= expected &&
               seed_.read<std::uint64_t>("SELECT count(*) FROM flotilla_outbox WHERE published_at IS NULL")[0] == 0 &&
               projected(live_version()) == seed_.paid;
    }

    std::uint64_t live_version() {
        const auto live = seed_.read<std::uint64_t>("SELECT version FROM flotilla_checkpoints WHERE live = 1");
        return live.empty() ? 1 : live[0];
    }
    std::uint64_t projected(std::uint64_t version) {
        return seed_.read<std::uint64_t>(version == 1 ? "SELECT coalesce(sum(balance), 0) FROM balances_1"
                                                      : "SELECT coalesce(sum(balance), 0) FROM balances_2")[0];
    }

    Seed& seed_;
    int started_ = 0;
    std::array<std::unique_ptr<SimulatedHost>, 2> hosts_;
};

/// Every event once in the log of its partition, but for repetitions of what is there already, numbered without gaps
/// and in order.
void expect_published(Seed& seed) {
    std::set<std::string> ids;
    for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
        std::map<std::uint64_t, std::string> numbered;
        for (const auto& message : seed.broker.accepted({"shop.sold", partition})) {
            const auto [place, first] = numbered.try_emplace(message.sequence, message.id);
            EXPECT_EQ(place->second, message.id) << "two events have number " << message.sequence;
            if (!first) continue;
            EXPECT_EQ(message.sequence, numbered.size()) << "out of turn";
            EXPECT_TRUE(ids.insert(message.id).second) << "one event has two numbers";
        }
    }
    EXPECT_EQ(ids.size(), seed.published);
}

struct Handled {
    std::string consumer, event_id;
};

void expect_handled(Seed& seed) {
    std::map<std::string, std::array<std::uint64_t, kPartitions>> next;
    for (const auto& [consumer, id] : seed.read<Handled>("SELECT consumer, event_id FROM effects ORDER BY position")) {
        const auto partition = static_cast<std::size_t>(id[0] - '0');
        EXPECT_EQ(id.substr(2), std::to_string(++next[consumer][partition])) << "of \"" << consumer << '"';
    }
    EXPECT_EQ(next[""], seed.heard);
    EXPECT_EQ(next["ledger"], seed.heard);
}

void expect_jobs_done(Seed& seed) {
    const auto of_each = [&](std::string_view sql) {
        std::map<std::string, int> found;
        for (const auto& job : seed.read<std::string>(sql))
            ++found[job];
        return found;
    };
    const auto outcomes = of_each("SELECT job FROM outcomes");
    const auto paid = of_each("SELECT job FROM paid");
    EXPECT_EQ(outcomes.size(), seed.enqueued);
    for (const auto& [job, count] : outcomes) {
        EXPECT_EQ(count, 1) << "outcomes of job " << job;
        if (std::stoul(job) % 2 == 0) {
            EXPECT_GE(seed.mails[job], 1) << "effects of job " << job;
        } else {
            EXPECT_TRUE(paid.contains(job) && paid.at(job) == 1) << "payments of job " << job;
        }
    }
    EXPECT_EQ(seed.read<std::uint64_t>("SELECT count(*) FROM flotilla_jobs WHERE state <> 'done'")[0], 0U);
}

/// Each event is in the live version's table once: a batch and its checkpoint were written by one host or by none.
/// Returns the live version.
int expect_projected(Seed& seed) {
    const auto live = seed.read<int>("SELECT version FROM flotilla_checkpoints WHERE live = 1").at(0);
    const auto told = seed.read<account::Balance>(
        "SELECT substr(stream, 9) AS account, count(*) - 1 AS balance, count(*) AS events FROM flotilla_events "
        "GROUP BY stream ORDER BY stream");
    const auto shown =
        seed.read<account::Balance>(live == 1 ? "SELECT account, balance, events FROM balances_1 ORDER BY account"
                                              : "SELECT account, balance, events FROM balances_2 ORDER BY account");
    EXPECT_EQ(json::write(shown), json::write(told)) << "version " << live << " is live";
    return live;
}

/// How many late writes were refused.
std::uint64_t play(std::uint64_t number, std::map<int, int>& live_versions) {
    SCOPED_TRACE("FLOTILLA_SEED=" + std::to_string(number) + " plays it again");
    Seed seed(number);
    {
        TwoHosts hosts(seed);
        hosts.play();
    }
    expect_published(seed);
    expect_handled(seed);
    expect_jobs_done(seed);
    ++live_versions[expect_projected(seed)];
    return seed.refused;
}

// Goal: two hosts on one database, of which one at a time is paused past its lease, killed or stopped: every event is
// published, every effect happens once, every job's outcome is noted once, every stored event is in the projection
// once, also while a new version of it is built, the other host takes over within 5 s, and what the late one writes is
// refused.
TEST(DatabaseWork, TwoHostsShareTheWork) {
    if (const char* seed = std::getenv("FLOTILLA_SEED")) {
        std::map<int, int> live;
        play(std::stoull(seed), live);
        return;
    }
    std::uint64_t refused = 0;
    std::map<int, int> live;
    for (std::uint64_t seed = 1; seed <= 50 && !HasFailure(); ++seed)
        refused += play(seed, live);
    RecordProperty("refused", std::to_string(refused));
    EXPECT_GT(refused, 0U) << "nobody wrote late: nothing is proved";
    EXPECT_GT(live[2], 0) << "no new version of the projection became live";
}

/// Until it is so, or for that long.
void run_while(Simulation& simulation, Duration patience, const std::function<bool()>& condition) {
    const auto until = simulation.now + patience;
    while (condition() && simulation.now < until)
        simulation.run_until(std::min(until, simulation.now + 100ms));
}

std::string shown(const SimulatedHost& host) { return *host.ready().checks.at("role").detail; }

// Goal: /readyz tells who works and who waits behind whom; both are well.
TEST(DatabaseWork, ReadyzTellsWhoWorks) {
    Seed seed(1);
    SimulatedHost first(seed, "shop-a");
    run_while(seed.simulation, 1s, [&] { return !first.held(); });
    SimulatedHost second(seed, "shop-b");
    seed.simulation.run_until(seed.simulation.now + 10s);
    EXPECT_EQ(shown(first), "held, epoch 1");
    EXPECT_EQ(shown(second), "standby behind shop-a, epoch 1");
    for (const char* check : {"role", "bus", "outbox", "inbox", "jobs"}) {
        EXPECT_EQ(first.ready().checks.at(check).status, "ok") << check;
        EXPECT_EQ(second.ready().checks.at(check).status, "ok") << check;
    }
}

// Goal: an orderly stop is followed at once, by the signal alone.
TEST(DatabaseWork, OrderlyStopIsFollowedAtOnce) {
    Seed seed(2);
    SimulatedHost first(seed, "shop-a");
    run_while(seed.simulation, 1s, [&] { return !first.held(); });
    SimulatedHost second(seed, "shop-b");
    seed.simulation.run_until(seed.simulation.now + 2s);
    first.stop();
    const auto stopped = seed.simulation.now;
    run_while(seed.simulation, 5s, [&] { return !second.held(); });
    EXPECT_LE(seed.simulation.now - stopped, 100ms);
    EXPECT_EQ(shown(second), "held, epoch 3"); // giving it up ended the second
}

// Goal: a host that nobody waits behind writes nothing to keep its role: an idle fleet leaves its disks alone.
TEST(DatabaseWork, KeepsTheRoleWithoutWriting) {
    Seed seed(3);
    SimulatedHost host(seed, "shop-a");
    seed.simulation.run_until(seed.simulation.now + 5s);
    const auto changes = [&] {
        std::int64_t changed = 0;
        seed.write([&](Transaction& tx) -> Result<void> {
            auto total = tx.find<std::int64_t>("SELECT total_changes()");
            if (!total) return std::move(total.error());
            changed = **total;
            return {};
        });
        return changed;
    };
    const auto before = changes();
    seed.simulation.run_until(seed.simulation.now + 60s);
    EXPECT_TRUE(host.held());
    EXPECT_EQ(changes(), before);
}

// Goal: what a process that has ended held is known to be free where a database is one process's: no wait.
TEST(DatabaseWork, RestartAfterACrashWaitsForNothing) {
    const std::string file =
        (std::filesystem::temp_directory_path() / ("flotilla-restart-" + std::to_string(::getpid()) + ".db")).string();
    for (const std::uint64_t life : {4, 5}) {
        Seed seed(life, "sqlite:" + file);
        SimulatedHost host(seed, "shop-a");
        const auto started = seed.simulation.now;
        run_while(seed.simulation, 10s, [&] { return !host.held(); });
        EXPECT_LE(seed.simulation.now - started, 100ms);
    } // killed: nothing is given up
    for (const char* suffix : {"", "-wal", "-shm", ".lock"})
        std::filesystem::remove(file + suffix);
}

// Goal: each handler of a topic is a consumer of its own, by a name that stays; one without is refused at the start.
TEST(DatabaseDuties, HandlersOfOneTopicHaveNames) {
    DatabaseDuties duties;
    duties.subscribe("shop", kHeard, {});
    duties.subscribe("shop", kHeard, {}, "ledger");
    ASSERT_EQ(duties.subscriptions.size(), 2U);
    EXPECT_EQ(duties.subscriptions[0].consumer, "shop"); // as in databases of before
    EXPECT_EQ(duties.subscriptions[1].consumer, "shop.ledger");
    EXPECT_THROW(duties.subscribe("shop", kHeard, {}), std::logic_error);
    EXPECT_THROW(duties.subscribe("shop", kHeard, {}, "ledger"), std::logic_error);
}

} // namespace
} // namespace flotilla::database_work_test
