// Sagas through a network, a bus and hosts without manners: whatever happens, they end, and effects balance.
#include <flotilla/saga/driver.hpp>

#include <gtest/gtest.h>

#include <flotilla/saga/test_shop.hpp>

namespace flotilla::saga::driver_test {
namespace {

using namespace saga::test;

constexpr int kSagas = 8;

class Play {
public:
    explicit Play(Shop& shop) : shop_(shop), shipping_(shop) {}

    void play() {
        for (auto& host : hosts_)
            host = begin_host();
        run_for(1s);
        for (int i = 0; i < kSagas; ++i) {
            const auto id = "order-" + std::to_string(i);
            EXPECT_TRUE(start(shop_, id));
            EXPECT_FALSE(start(shop_, id)) << "twice";
            shipping_.anticipate(id);
            if (i % 2 == 0) disturb();
            run_for(shop_.simulation.up_to(500ms));
            if (shop_.simulation.chance(30)) cancel(id);
            run_for(shop_.simulation.up_to(2s));
        }
        for (int i = 0; i < 4; ++i) {
            disturb();
            run_for(shop_.simulation.up_to(3s));
        }
        settle();
    }

private:
    std::unique_ptr<SagaHost> begin_host() {
        return std::make_unique<SagaHost>(shop_, "shop-" + std::to_string(++started_));
    }
    void run_for(Duration duration) {
        const auto until = shop_.simulation.now + duration;
        while (shop_.simulation.now < until) {
            shop_.simulation.run_until(std::min(until, shop_.simulation.now + shop_.simulation.up_to(50ms) + 1ms));
            shipping_.look();
        }
    }
    /// Most often the one that works.
    std::unique_ptr<SagaHost>& victim() {
        for (auto& host : hosts_)
            if (host->held() && shop_.simulation.chance(80)) return host;
        return hosts_[shop_.simulation.dice(hosts_.size())];
    }
    /// Between any two actions of a host: whoever's turn it is.
    void disturb() {
        auto& host = victim();
        for (auto turns = shop_.simulation.dice(2000); turns > 0; --turns)
            shop_.simulation.step(shop_.simulation.now + 1s);
        const auto how = shop_.simulation.dice(10);
        if (how < 4) {
            host->pause(true);
            run_for(shop_.simulation.up_to(8s));
            host->pause(false);
            return;
        }
        if (how == 9) host->stop();
        host.reset();
        run_for(shop_.simulation.up_to(4s));
        host = begin_host();
    }
    void cancel(const std::string& id) {
        if (want(shop_.write([id](Transaction& tx) { return table::ask(tx, id, {Asked::abort, "the customer did"}); })))
            shop_.cancelled.insert(id);
    }
    /// Nothing goes wrong any more; what parked is tried again, by hand, as often as it takes.
    void settle() {
        run_for(60s);
        auto calm = Faults{.lost = 0, .late = 0, .reply_lost = 0, .refused = 0, .twice = 0, .early = 0};
        calm.tombstones = shop_.participants.faults().tombstones;
        shop_.participants.set(calm);
        for (int second = 0; second < 300 && in_flight() > 0; ++second) {
            run_for(1s);
            for (const auto& id : shop_.read<std::string>("SELECT id FROM flotilla_sagas WHERE status = 'PARKED'")) {
                EXPECT_TRUE(shop_.saga(id).reason.has_value()) << id;
                ++parked;
                std::ignore =
                    want(shop_.write([id](Transaction& tx) { return table::ask(tx, id, {Asked::retry, {}}); }));
            }
        }
        run_for(20s); // what was still under way has come
    }
    std::int64_t in_flight() {
        return shop_.read<std::int64_t>("SELECT count(*) FROM flotilla_sagas WHERE finished_at IS NULL")[0];
    }

    Shop& shop_;
    Shipping shipping_;
    int started_ = 0;
    std::array<std::unique_ptr<SagaHost>, 2> hosts_;

public:
    std::uint64_t parked = 0;
};

/// What became of all of them.
struct Ends {
    int completed = 0, compensated = 0;
    std::uint64_t parked = 0, refused_writes = 0, late = 0, holders = 0;
};

void expect_balanced(Shop& shop, const std::string& id, Status status) {
    using State = Participants::State;
    auto& states = shop.participants.states;
    for (const char* participant : {"payment", "inventory", "shipping"}) {
        const auto state = states[{participant, id}];
        if (status == Status::completed) {
            const auto expected = std::string_view(participant) == "shipping" ? State::done : State::committed;
            EXPECT_EQ(state, expected) << participant << " of the completed " << id;
        } else if (std::string_view(participant) == "shipping" &&
                   view_of(shop.saga(id)).state_of("shipping.schedule") == StepState::none) {
            continue; // what it did untold it has to undo itself: the saga never came to it
        } else {
            EXPECT_TRUE(state == State::undone || state == State::none) << participant << " of the compensated " << id;
        }
    }
    const auto confirmed = shop.read<std::string>("SELECT id FROM confirmed");
    EXPECT_EQ(std::ranges::count(confirmed, id), status == Status::completed ? 1 : 0) << id;
}

/// Only what may have happened was undone, last first, and nothing behind the pivot.
void expect_in_order(Shop& shop, const std::string& id, Status status) {
    const auto plan = checkout_of(1).plan();
    const auto entries = shop.history(id);
    std::set<std::string> done, undone;
    auto last = plan->steps.size();
    for (const auto& [event, step] : shop.sent[id]) {
        if (event == "do") {
            done.insert(step);
            continue;
        }
        const auto before = plan->index_of(step); // its intent was committed: nobody else knows whether it left
        const bool intended = before == 0 || std::ranges::any_of(entries, [&](const HistoryEntry& entry) {
                                  return entry.event == "done" && entry.step == plan->steps[before - 1].name;
                              });
        EXPECT_TRUE(done.contains(step) || intended) << step << " of " << id << " was undone before it was begun";
        const auto at = plan->index_of(step);
        EXPECT_LT(at, plan->pivot);
        if (!undone.insert(step).second) continue; // another try
        EXPECT_LT(at, last) << step << " of " << id << " was undone out of turn";
        last = at;
    }
    if (status == Status::completed) EXPECT_TRUE(undone.empty()) << id;
}

Ends play(std::uint64_t seed, Faults faults = {}) {
    SCOPED_TRACE("FLOTILLA_SEED=" + std::to_string(seed) + " plays it again");
    Shop shop(seed, faults);
    Ends ends;
    {
        Play play(shop);
        play.play();
        ends.parked = play.parked;
    }
    ends.refused_writes = shop.refused_writes;
    ends.holders = static_cast<std::uint64_t>(shop.read<std::int64_t>("SELECT max(epoch) FROM flotilla_roles")[0]);
    for (int i = 0; i < kSagas; ++i) {
        const auto id = "order-" + std::to_string(i);
        const auto saga = shop.saga(id);
        EXPECT_TRUE(saga.finished_at.has_value()) << id << " is " << enum_text(saga.status) << " at " << saga.step;
        if (!saga.finished_at) continue;
        ++(saga.status == Status::completed ? ends.completed : ends.compensated);
        if (saga.status == Status::compensated) EXPECT_TRUE(saga.reason.has_value()) << id;
        expect_balanced(shop, id, saga.status);
        expect_in_order(shop, id, saga.status);
        const auto entries = shop.history(id);
        const bool answered = std::ranges::any_of(entries, [](const HistoryEntry& entry) {
            return entry.event == "compensating" || entry.event == "abort refused";
        });
        EXPECT_TRUE(answered || !shop.cancelled.contains(id)) << "a cancellation of " << id << " got lost";
        for (const auto& entry : entries) {
            if (entry.event == "late reply") ++ends.late;
        }
        EXPECT_EQ(std::ranges::count(entries,
                                     std::string(saga.status == Status::completed ? "completed" : "compensated"),
                                     &HistoryEntry::event),
                  1);
        const auto followed = shop.read<std::string>("SELECT status FROM followed WHERE id = '" + id + "'");
        EXPECT_EQ(followed, std::vector{std::string(enum_text(saga.status))});
    }
    EXPECT_EQ(shop.participants.wrong, std::vector<std::string>());
    const auto counts = shop.read<std::int64_t>(
        "SELECT running + compensating + parked FROM flotilla_saga_counts WHERE definition = 'checkout'");
    EXPECT_EQ(counts, std::vector<std::int64_t>{0});
    return ends;
}

// Goal: over seeds of lost, doubled, late, early and reordered commands and replies, refusals, cancellations, and hosts
// paused, stopped and killed between any two actions: every saga ends, what participants did balances, compensations
// are of what may have happened, last first, and nothing is undone behind the pivot.
TEST(Sagas, EndAndBalanceWhateverHappens) {
    if (const char* seed = std::getenv("FLOTILLA_SEED")) {
        play(std::stoull(seed));
        return;
    }
    const char* given = std::getenv("FLOTILLA_SEEDS");
    const std::uint64_t seeds = given ? std::stoull(given) : 24;
    Ends all;
    for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
        const auto ends = play(seed);
        all.completed += ends.completed;
        all.compensated += ends.compensated;
        all.parked += ends.parked;
        all.refused_writes += ends.refused_writes;
        all.late += ends.late;
        all.holders += ends.holders;
    }
    std::printf("%d completed, %d compensated, %lu parked on the way, %lu late writes refused, %lu late replies\n",
                all.completed, all.compensated, all.parked, all.refused_writes, all.late);
    EXPECT_GT(all.completed, 0);
    EXPECT_GT(all.compensated, 0);
    EXPECT_GT(all.parked, 0U);
    EXPECT_GT(all.late, 0U);
    EXPECT_GT(all.holders, 2 * seeds) << "the work hardly changed hands: nothing is proved of two hosts";
}

constexpr Faults kCalm{.lost = 0, .late = 0, .reply_lost = 0, .refused = 0, .twice = 0, .early = 0};

void run_for(Shop& shop, Shipping& shipping, Duration duration) {
    const auto until = shop.simulation.now + duration;
    while (shop.simulation.now < until) {
        shop.simulation.run_until(std::min(until, shop.simulation.now + 50ms));
        shipping.look();
    }
}

// Goal: a saga of which no step has ended for twice its timeout is told of within 5 s more, in /readyz, in the log with
// the reason, and in the query of stuck ones; it is no longer once it goes on.
TEST(Sagas, ThoseWithoutProgressAreToldOf) {
    Shop shop(1, kCalm); // nobody looks after shipping
    Shipping shipping(shop);
    const auto patient = checkout_of(1, {.timeout = 300s}, 1000);
    SagaHost host(shop, "shop-1", {patient});
    shop.simulation.run_until(shop.simulation.now + 1s);
    start(shop, "order-1", patient);
    shop.simulation.run_until(shop.simulation.now + 1s);
    ASSERT_EQ(shop.saga("order-1").step, "shipping.schedule");
    EXPECT_EQ(host.ready().checks.at("sagas").status, "ok");
    shop.simulation.run_until(shop.simulation.now + 2 * 1s + 5s);
    const auto check = host.ready().checks.at("sagas");
    EXPECT_EQ(check.status, "failed");
    EXPECT_TRUE(check.detail->contains("order-1 at shipping.schedule") && check.detail->contains("no reply within 1 s"))
        << *check.detail;
    const auto told = [&] {
        return std::ranges::count_if(host.lines,
                                     [](const auto& line) { return line.contains("a saga makes no progress"); });
    };
    EXPECT_EQ(told(), 1);
    Context context(shop.keeper);
    EXPECT_EQ(
        want(shop.keeper.finish(table::stuck(context, *shop.database, shop.keeper.now() + 5s, Timestamp(0), "", 10)))
            .size(),
        1U);
    run_for(shop, shipping, 5s);
    EXPECT_EQ(shop.saga("order-1").status, Status::completed);
    EXPECT_EQ(host.ready().checks.at("sagas").status, "ok");
    EXPECT_EQ(told(), 1) << "once";
}

// Goal: a saga whose version this program does not have is parked with the reason, others are started nevertheless; a
// program that has it finishes it after a retry.
TEST(Sagas, OnlyThoseWithoutAHandlerPark) {
    Shop shop(2, kCalm);
    Shipping shipping(shop);
    {
        SagaHost host(shop, "shop-1", {checkout_of(1)});
        run_for(shop, shipping, 1s);
        start(shop, "old", checkout_of(1));
        host.stop();
    }
    {
        SagaHost host(shop, "shop-2", {checkout_of(2)});
        run_for(shop, shipping, 1s);
        start(shop, "new", checkout_of(2));
        run_for(shop, shipping, 5s);
        EXPECT_EQ(shop.saga("new").status, Status::completed);
        const auto old = shop.saga("old");
        EXPECT_EQ(old.status, Status::parked);
        EXPECT_EQ(old.reason, "this program has no checkout version 1");
        EXPECT_EQ(host.ready().checks.at("sagas").status, "failed");
        host.stop();
    }
    SagaHost host(shop, "shop-3", {checkout_of(1), checkout_of(2)});
    run_for(shop, shipping, 1s);
    std::ignore = want(shop.write([](Transaction& tx) { return table::ask(tx, "old", {Asked::retry, {}}); }));
    run_for(shop, shipping, 5s);
    EXPECT_EQ(shop.saga("old").status, Status::completed);
}

// Goal: a timer that was due while nobody ran is acted upon by whoever comes next.
TEST(Sagas, TimersSurviveAStop) {
    Shop shop(3, kCalm);
    {
        SagaHost host(shop, "shop-1");
        shop.simulation.run_until(shop.simulation.now + 1s);
        start(shop, "order-1");
        for (int i = 0; i < 50 && shop.saga("order-1").waits != Waits::reply; ++i)
            shop.simulation.run_until(shop.simulation.now + 100ms);
    } // killed
    shop.simulation.run_until(shop.simulation.now + 60s);
    ASSERT_EQ(shop.saga("order-1").waits, Waits::reply);
    SagaHost host(shop, "shop-2");
    shop.simulation.run_until(shop.simulation.now + 8s); // until it has the role
    EXPECT_EQ(shop.saga("order-1").direction, Direction::undo) << "its deadline is over";
}

// Goal: what has ended leaves after the time it is kept, with its history.
TEST(Sagas, AreForgottenInTime) {
    Shop shop(4, kCalm);
    Shipping shipping(shop);
    SagaHost host(shop, "shop-1");
    run_for(shop, shipping, 1s);
    start(shop, "order-1");
    run_for(shop, shipping, 5s);
    ASSERT_EQ(shop.saga("order-1").status, Status::completed);
    const auto rows = [&] {
        return shop.read<std::int64_t>("SELECT (SELECT count(*) FROM flotilla_sagas) + (SELECT count(*) FROM "
                                       "flotilla_saga_history)")[0];
    };
    EXPECT_GT(rows(), 5);
    shop.simulation.now += 6 * 24h;
    shop.simulation.run_until(shop.simulation.now + 120s);
    EXPECT_GT(rows(), 5);
    shop.simulation.now += 2 * 24h;
    shop.simulation.run_until(shop.simulation.now + 120s);
    EXPECT_EQ(rows(), 0);
}

} // namespace
} // namespace flotilla::saga::driver_test
