#include <flotilla/store/event_store.hpp>

#include <map>
#include <random>

#include <flotilla/contract/version_conflict.hpp>
#include <flotilla/store/test_account.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::event_store_test {
namespace {

using namespace test::account;
using test::TestDatabase;
using test::value;

class EventStoreTest : public testing::Test {
protected:
    void SetUp() override { value(store.migrate("events", event_migrations())); }

    Result<Appended> append(std::string stream, std::int64_t expected, NewEvents happened, AppendOptions options = {}) {
        return store.transact([=](Transaction& tx) { return events::append(tx, stream, expected, happened, options); });
    }
    /// Each in a transaction of its own.
    void pay_often(std::string id, int times) {
        for (int i = 0; i < times; ++i) {
            value(store.transact([=](Transaction& tx) {
                auto account = load(tx, accounts, id);
                flotilla::append(tx, accounts, account, {paid, {.amount = 1}});
            }));
        }
    }
    template <class Kept>
    Loaded<State> load_as(const Kept& aggregate, std::string id) {
        return value(store.transact([&aggregate, id](Transaction& tx) { return load(tx, aggregate, id); }));
    }
    std::vector<StoredEvent> all(std::int64_t behind = 0, std::int64_t limit = 1000) {
        Context context(store.world());
        const auto head = value(store.loop().run_until_done(events::head(context, store.database())));
        return value(
            store.loop().run_until_done(store.database().select(context, events::of_all, behind, head, limit)));
    }
    std::int64_t snapshots() {
        return value(store.select<std::int64_t>("SELECT count(*) FROM flotilla_snapshots")).at(0);
    }

    TestDatabase store;
};

// Goal: what is appended is there with everything that belongs to it, in the order in which it happened.
TEST_F(EventStoreTest, AppendStoresEventsInOrder) {
    NewEvents happened{opened, {.owner = "ada"}};
    happened.add(paid, {.amount = 7});
    const auto appended = value(append("account-1", events::kNoStream, happened, {.message_id = "m-1"}));
    EXPECT_EQ(appended.version, 2);
    EXPECT_FALSE(appended.repeated);
    const auto stored = all();
    ASSERT_EQ(stored.size(), 2U);
    EXPECT_EQ(stored[1].position, appended.position);
    EXPECT_EQ(stored[1].stream, "account-1");
    EXPECT_EQ(stored[1].version, 2);
    EXPECT_EQ(stored[1].type, "account.paid");
    EXPECT_EQ(stored[1].schema_version, 1);
    EXPECT_EQ(stored[1].message_id, "m-1");
    EXPECT_EQ(stored[1].payload, R"({"amount":7})");
    EXPECT_EQ(stored[1].id_in(accounts), "1");
    EXPECT_TRUE(TraceContext::parse(stored[1].traceparent).valid());
    EXPECT_EQ(all(stored[0].position).size(), 1U);
    EXPECT_EQ(all(0, 1).size(), 1U);
}

// Goal: an append that expects another version than there is stores nothing and says so, whichever way it is wrong.
TEST_F(EventStoreTest, AppendAtAnotherVersionIsAConflict) {
    value(append("account-1", events::kNoStream, {opened, {}}));
    for (const std::int64_t expected : {std::int64_t{0}, std::int64_t{2}}) {
        const auto refused = append("account-1", expected, {paid, {1}});
        ASSERT_FALSE(refused) << expected;
        EXPECT_EQ(refused.error(), Error(version_conflict));
    }
    EXPECT_EQ(append("account-2", 1, {opened, {}}).error().code(), "version_conflict");
    EXPECT_EQ(all().size(), 1U);
    EXPECT_EQ(value(append("account-1", 1, {paid, {1}})).version, 2);
    EXPECT_EQ(value(append("account-1", events::kAnyVersion, {paid, {1}})).version, 3);
    EXPECT_EQ(value(append("account-1", 3, {})).version, 3);
}

// Goal: a message that comes again appends nothing, whatever version it expects by now, and its sender learns so.
TEST_F(EventStoreTest, AppendSameMessageAgainIsRepeated) {
    NewEvents happened{opened, {}};
    happened.add(paid, {.amount = 7});
    const auto first = value(append("account-1", 0, happened, {.message_id = "m-1"}));
    value(append("account-1", 2, {paid, {1}}, {.message_id = "m-2"}));
    const auto again = value(append("account-1", 0, happened, {.message_id = "m-1"}));
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.version, first.version);
    EXPECT_EQ(again.position, first.position);
    EXPECT_EQ(all().size(), 3U);
    EXPECT_FALSE(value(append("account-2", 0, {opened, {}}, {.message_id = "m-1"})).repeated); // of another stream
}

// Goal: what is in one transaction is appended as a whole or not at all.
TEST_F(EventStoreTest, FailedTransactionAppendsNothing) {
    const auto outcome = store.transact([](Transaction& tx) -> Result<int> {
        events::append(tx, "account-1", 0, {opened, {}});
        events::append(tx, "account-2", 5, {opened, {}});
        return 1;
    });
    EXPECT_EQ(outcome.error().code(), "version_conflict");
    EXPECT_TRUE(all().empty());
}

// Goal: an event larger than the bus can carry is refused.
TEST_F(EventStoreTest, AppendTooLargeIsRefused) {
    const auto refused = append("account-1", 0, {opened, {.owner = std::string(5 << 20, 'x')}});
    EXPECT_EQ(refused.error().code(), "event_too_large");
}

// Goal: an instance is what has happened to it, and becomes what it appends.
TEST_F(EventStoreTest, LoadIsWhatHasHappened) {
    EXPECT_FALSE(load_as(accounts, "1").exists());
    const auto after = value(store.transact([](Transaction& tx) {
        Loaded<State> account{.id = "1"};
        flotilla::append(tx, accounts, account, {opened, {.owner = "ada"}});
        flotilla::append(tx, accounts, account, {paid, {.amount = 7}}, {.message_id = "m-1"});
        flotilla::append(tx, accounts, account, {paid, {.amount = 7}}, {.message_id = "m-1"}); // repeated
        return account;
    }));
    EXPECT_EQ(after.version, 2);
    EXPECT_EQ(after->balance, 7);
    const auto loaded = load_as(accounts, "1");
    EXPECT_EQ(loaded.version, 2);
    EXPECT_EQ(loaded->owner, "ada");
    EXPECT_EQ(loaded->balance, 7);
}

constexpr EventType<Opened> kStranger{"account.stranger"};

// Goal: an aggregate stores only what it can read again, and refuses to leave out what it cannot.
TEST_F(EventStoreTest, StrangeEventsAreNeitherStoredNorPassedOver) {
    const auto refused = store.transact([](Transaction& tx) {
        Loaded<State> account{.id = "1"};
        flotilla::append(tx, accounts, account, {kStranger, {}});
    });
    EXPECT_NE(refused.error().message().find("account.stranger"), std::string::npos) << refused.error().message();
    value(append("account-1", 0, {kStranger, {}}));
    const auto loaded = store.transact([](Transaction& tx) { return load(tx, accounts, "1"); });
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code(), "event_not_readable");
    EXPECT_NE(loaded.error().message().find("account-1 at 1"), std::string::npos) << loaded.error().message();
}

// Goal: a snapshot is kept every so many events, is what the events say, and only later ones are read with it.
TEST_F(EventStoreTest, SnapshotStandsForTheEventsBeforeIt) {
    pay_often("1", 4);
    EXPECT_EQ(snapshots(), 0);
    pay_often("1", 3);
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT version FROM flotilla_snapshots")), 5);
    EXPECT_EQ(load_as(accounts, "1")->balance, 7);
    EXPECT_EQ(load_as(accounts, "1").snapshot_version, 5);
    // What is behind it is not read: a lie in there is believed.
    value(store.execute(R"(UPDATE flotilla_snapshots SET state = '{"owner":"","balance":1000,"closed":false}')"));
    EXPECT_EQ(load_as(accounts, "1")->balance, 1002);
    EXPECT_EQ(load_as(unkept, "1")->balance, 7);
}

// Goal: a snapshot of another release's state is not read, and replaced by the next append.
TEST_F(EventStoreTest, SnapshotOfAnotherVersionIsMadeAgain) {
    pay_often("1", 6);
    value(store.execute(R"(UPDATE flotilla_snapshots SET state = '{"owner":"","balance":1000,"closed":false}')"));
    const auto loaded = load_as(changed, "1");
    EXPECT_EQ(loaded->balance, 6);
    EXPECT_EQ(loaded.snapshot_version, 0);
    value(store.transact([](Transaction& tx) {
        auto account = load(tx, changed, "1");
        flotilla::append(tx, changed, account, {paid, {.amount = 1}});
    }));
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT version FROM flotilla_snapshots")), 7);
    EXPECT_EQ(load_as(changed, "1").snapshot_version, 7);
    value(store.execute("UPDATE flotilla_snapshots SET shape = 5")); // other fields
    EXPECT_EQ(load_as(changed, "1").snapshot_version, 0);
    EXPECT_EQ(load_as(changed, "1")->balance, 7);
}

// Goal: a long stream is loaded whole, page by page.
TEST_F(EventStoreTest, LoadLongStreamReadsAllOfIt) {
    NewEvents happened{opened, {}};
    for (int i = 0; i < 600; ++i)
        happened.add(paid, {.amount = 1});
    value(append("account-1", 0, happened));
    EXPECT_EQ(load_as(unkept, "1")->balance, 600);
    EXPECT_EQ(load_as(accounts, "1").version, 601);
}

/// What the store must do, in a few lines.
struct Model {
    std::map<std::string, std::vector<std::string>> streams;              // owners
    std::map<std::pair<std::string, std::string>, std::int64_t> messages; // to the version
};

/// One append at a version that may be right, of a message that may have come before, and what became of it.
struct Try {
    std::string stream, message;
    std::int64_t expected = 0;
    std::vector<std::string> owners;
    std::optional<Result<Appended>> outcome;
};

void expect_as_modelled(Model& model, const Try& attempt) {
    SCOPED_TRACE(attempt.stream + " at " + std::to_string(attempt.expected) + " by \"" + attempt.message + "\"");
    const auto& outcome = *attempt.outcome;
    const auto former = model.messages.find({attempt.stream, attempt.message});
    if (former != model.messages.end()) {
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message();
        EXPECT_TRUE(outcome->repeated);
        EXPECT_EQ(outcome->version, former->second);
        return;
    }
    auto& stream = model.streams[attempt.stream];
    const bool fits = attempt.expected == events::kAnyVersion || attempt.expected == std::ssize(stream);
    ASSERT_EQ(outcome.has_value(), fits);
    if (!fits) return;
    stream.insert(stream.end(), attempt.owners.begin(), attempt.owners.end());
    EXPECT_EQ(outcome->version, std::ssize(stream));
    EXPECT_FALSE(outcome->repeated);
    if (!attempt.message.empty() && !attempt.owners.empty())
        model.messages[{attempt.stream, attempt.message}] = std::ssize(stream);
}

/// Several writers at once, each deciding on what it knows by now, which others may have outdated.
class Writers {
public:
    explicit Writers(unsigned seed)
        : store_("sqlite::memory:writers-" + std::to_string(seed) + "?bodies=twice"), random_(seed) {
        value(store_.migrate("events", event_migrations()));
    }

    void play() {
        auto test = [this](Context& context) -> task<void> {
            Scope scope(context);
            for (int writer = 0; writer < 5; ++writer)
                scope.spawn(write(scope.context()));
            co_await scope.join();
        };
        store_.run(test);
    }
    /// In the order in which their bodies ran for good, each try was answered as the model says; so is what is stored.
    void expect_as_modelled() {
        Model model;
        for (std::size_t i = 0; i < ran_.size(); ++i) {
            const bool again_later =
                std::find(ran_.begin() + static_cast<std::ptrdiff_t>(i) + 1, ran_.end(), ran_[i]) != ran_.end();
            if (!again_later) event_store_test::expect_as_modelled(model, *ran_[i]);
        }
        std::map<std::string, std::vector<std::string>> stored;
        std::int64_t position = 0;
        for (const auto& event : value(store_.select<StoredEvent>("SELECT * FROM flotilla_events ORDER BY position"))) {
            auto& stream = stored[event.stream];
            EXPECT_EQ(event.version, std::ssize(stream) + 1);
            EXPECT_GT(event.position, std::exchange(position, event.position));
            stream.push_back(value(json::parse<Opened>(event.payload)).owner);
        }
        std::erase_if(model.streams, [](const auto& stream) { return stream.second.empty(); });
        EXPECT_EQ(stored, model.streams);
    }
    int conflicts = 0, repeated = 0, appended = 0;

private:
    task<void> write(Context& context) {
        for (int i = 0; i < 40; ++i) {
            auto& attempt = *tries_.emplace_back(std::make_unique<Try>(next()));
            attempt.outcome = co_await store_.database().transact(context, [&attempt, this](Transaction& tx) {
                ran_.push_back(&attempt); // on the writer's thread, which is the only one that touches it meanwhile
                NewEvents happened;
                for (const auto& owner : attempt.owners)
                    happened.add(opened, {.owner = owner});
                return events::append(tx, attempt.stream, attempt.expected, happened, {.message_id = attempt.message});
            });
            if (!*attempt.outcome) {
                EXPECT_EQ(attempt.outcome->error().code(), "version_conflict");
                ++conflicts;
                continue;
            }
            auto& known = known_[attempt.stream];
            known = std::max(known, (*attempt.outcome)->version);
            ++((*attempt.outcome)->repeated ? repeated : appended);
        }
    }
    Try next() {
        Try attempt{.stream = "account-" + std::to_string(random_() % 3)};
        const auto known = known_[attempt.stream];
        attempt.expected = random_() % 8 == 0 ? events::kAnyVersion : known;
        if (random_() % 8 == 0)
            attempt.expected = std::max<std::int64_t>(0, known + 1 - static_cast<int>(random_() % 3));
        if (random_() % 3 == 0) attempt.message = "m-" + std::to_string(random_() % 30);
        for (auto count = random_() % 4; count > 0; --count)
            attempt.owners.push_back(std::to_string(random_()));
        return attempt;
    }

    TestDatabase store_;
    std::mt19937 random_;
    std::map<std::string, std::int64_t> known_;
    std::vector<std::unique_ptr<Try>> tries_;
    std::vector<const Try*> ran_; // a body may run more than once: the last time counts
};

// Goal: whatever several writers append at once, at whichever versions and of whichever messages: each append is
// answered as by a model, streams have no gaps, and positions are in the order of the commits.
TEST_F(EventStoreTest, InterleavedWritersAgreeWithTheModel) {
    int conflicts = 0;
    int repeated = 0;
    for (unsigned seed = 1; seed <= 20 && !HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        Writers writers(seed);
        writers.play();
        writers.expect_as_modelled();
        EXPECT_GT(writers.appended, 20);
        conflicts += writers.conflicts;
        repeated += writers.repeated;
    }
    EXPECT_GT(conflicts, 100) << "nobody was in another's way: nothing is proved";
    EXPECT_GT(repeated, 100);
}

// Goal: of several writers that decide on the same version at once, one at a time has its way, and none of their money
// is lost once all have had it.
TEST_F(EventStoreTest, RacingWritersTryAgainAndLoseNothing) {
    int conflicts = 0;
    const auto write = [&](Context& context) -> task<void> {
        for (int done = 0; done < 20;) {
            // Decides on what it has read, and appends in a later transaction.
            const auto read =
                co_await store.database().transact(context, [](Transaction& tx) { return load(tx, accounts, "1"); });
            auto account = value(read);
            const auto outcome = co_await store.database().transact(context, [account](Transaction& tx) {
                auto own = account;
                return flotilla::append(tx, accounts, own, {paid, {.amount = 1}});
            });
            if (outcome) {
                ++done;
            } else {
                EXPECT_EQ(outcome.error().code(), "version_conflict");
                ++conflicts;
            }
        }
    };
    auto test = [&](Context& context) -> task<void> {
        Scope scope(context);
        for (int writer = 0; writer < 5; ++writer)
            scope.spawn(write(scope.context()));
        co_await scope.join();
    };
    store.run(test);
    EXPECT_EQ(load_as(unkept, "1")->balance, 100);
    EXPECT_EQ(load_as(accounts, "1")->balance, 100);
    EXPECT_GT(conflicts, 0) << "nobody was in another's way: nothing is proved";
}

// Goal: many appends share a commit.
TEST_F(EventStoreTest, AppendsShareCommits) {
    const auto before = store.statistics();
    auto test = [&](Context& context) -> task<void> {
        std::vector<task<Result<Appended>>> appends;
        for (int i = 0; i < 200; ++i) {
            appends.push_back(store.database().transact(context, [i](Transaction& tx) {
                Loaded<State> account{.id = std::to_string(i)};
                return flotilla::append(tx, accounts, account, {opened, {}});
            }));
        }
        for (const auto& outcome : co_await all_settled(context, std::move(appends)))
            EXPECT_TRUE(outcome.has_value());
    };
    store.run(test);
    const auto commits = store.statistics().commits - before.commits;
    EXPECT_LT(commits, 20U);
}

} // namespace
} // namespace flotilla::event_store_test
