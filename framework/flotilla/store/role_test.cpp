#include <flotilla/store/role.hpp>

#include <flotilla/store/test_database.hpp>

namespace flotilla::role_test {
namespace {

using roles::RoleRow;
using test::TestDatabase;
using test::value;

constexpr Statement<> kWrite{"INSERT INTO written VALUES (1)"};

class RoleTest : public testing::Test {
protected:
    void SetUp() override {
        store.create_framework_tables();
        value(store.execute("CREATE TABLE written (n BIGINT NOT NULL)"));
    }
    RoleRow row() {
        Context context(store.world());
        return value(store.loop().run_until_done(roles::load(context, store.database(), "database")));
    }
    std::optional<std::int64_t> take(std::string holder, RoleRow seen) {
        return value(store.transact(roles::Take{"database", std::move(holder), "", std::move(seen)}));
    }
    Result<int> write(Tenure& tenure) {
        Context context(store.world());
        return store.loop().run_until_done(tenure.transact(context, [](Transaction& tx) {
            tx.execute(kWrite);
            return 1;
        }));
    }
    std::int64_t written() { return *value(store.find<std::int64_t>("SELECT count(*) FROM written")); }

    TestDatabase store;
};

// Goal: of two hosts that both saw the role free, one has it, in an epoch of its own.
TEST_F(RoleTest, TakeByTwoGivesItToOne) {
    const auto seen = row();
    EXPECT_EQ(seen, RoleRow());
    EXPECT_EQ(take("a", seen), 1);
    EXPECT_EQ(take("b", seen), std::nullopt);
    EXPECT_EQ(row().holder, "a");
    EXPECT_EQ(take("b", row()), 2);
}

// Goal: a holder that answers in the last moment keeps its role.
TEST_F(RoleTest, TakeAfterAnAnswerIsRefused) {
    take("a", row());
    value(store.transact(roles::Ask{"database", 1}));
    value(store.transact(roles::Ask{"database", 1})); // by another who waits: one question
    const auto seen = row();
    EXPECT_EQ(seen.asked, 1);
    value(store.transact(roles::Answer{"database", 1}));
    EXPECT_EQ(row().answered, 1);
    EXPECT_EQ(take("b", seen), std::nullopt);
    EXPECT_EQ(row().holder, "a");
}

// Goal: what the former holder writes is refused as a whole, and it knows that its time is over; the new one's is not.
TEST_F(RoleTest, WriteAfterATakeoverIsRefused) {
    auto& former = store.take_role();
    EXPECT_EQ(value(write(former)), 1);
    auto& present = store.take_role();
    EXPECT_FALSE(former.lost());
    const auto late = write(former);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), "role_lost");
    EXPECT_EQ(late.error().kind(), Kind::unavailable);
    EXPECT_TRUE(former.lost());
    EXPECT_EQ(written(), 1);
    EXPECT_EQ(value(write(present)), 1);
    EXPECT_FALSE(present.lost());
}

// Goal: a role that was given up is free, and the giver's own late writes are refused as well.
TEST_F(RoleTest, ReleaseEndsTheEpoch) {
    auto& tenure = store.take_role();
    value(store.transact(roles::Release{"database", tenure.epoch()}));
    EXPECT_EQ(row().holder, "");
    EXPECT_EQ(write(tenure).error().code(), "role_lost");
    value(store.transact(roles::Release{"database", tenure.epoch()})); // again: nothing
    EXPECT_EQ(row().epoch, 2);
}

} // namespace
} // namespace flotilla::role_test
