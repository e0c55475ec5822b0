#include "hub/consul/kv_state.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::consul::kv_state_test {
namespace {

using namespace std::chrono_literals;

struct Bench {
    Index index;
    ChangeLog changes;
    KvState kv{index, changes};
    Instant now{};
};

// Goal: a check-and-set succeeds on the index it names only; 0 means "when there is none".
TEST(KvState, CasSucceedsOnItsIndexOnly) {
    Bench bench;
    EXPECT_FALSE(bench.kv.cas("foo", "bar", 0, 50));
    EXPECT_TRUE(bench.kv.cas("foo", "bar", 0, 0));
    EXPECT_FALSE(bench.kv.cas("foo", "again", 0, 0));
    const auto index = bench.kv.find("foo")->modify_index;
    EXPECT_FALSE(bench.kv.cas("foo", "bar2", 0, index - 1));
    EXPECT_TRUE(bench.kv.cas("foo", "bar2", 7, index));
    EXPECT_EQ(bench.kv.find("foo")->value, "bar2");
    EXPECT_EQ(bench.kv.find("foo")->flags, 7u);
}

// Goal: writing what is there already is no change, so nobody wakes.
TEST(KvState, SetSameValueKeepsIndex) {
    Bench bench;
    bench.kv.set("foo", "bar", 1);
    const auto index = bench.kv.index_of_key("foo");
    bench.kv.set("foo", "bar", 1);
    EXPECT_EQ(bench.kv.index_of_key("foo"), index);
    bench.kv.set("foo", "bar", 2);
    EXPECT_GT(bench.kv.index_of_key("foo"), index);
}

// Goal: one holder at a time; only the holder releases; every taking counts in LockIndex.
TEST(KvState, AcquireAndReleaseKeepOneHolder) {
    Bench bench;
    EXPECT_TRUE(bench.kv.acquire("lock", "1", 0, "s1", bench.now));
    EXPECT_FALSE(bench.kv.acquire("lock", "2", 0, "s2", bench.now));
    EXPECT_TRUE(bench.kv.acquire("lock", "3", 0, "s1", bench.now));
    EXPECT_EQ(bench.kv.find("lock")->lock_index, 1u);
    EXPECT_EQ(bench.kv.find("lock")->value, "3");
    EXPECT_FALSE(bench.kv.release("lock", "x", 0, "s2"));
    EXPECT_TRUE(bench.kv.release("lock", "4", 0, "s1"));
    EXPECT_EQ(bench.kv.find("lock")->session, "");
    EXPECT_FALSE(bench.kv.release("lock", "x", 0, ""));
    EXPECT_TRUE(bench.kv.acquire("lock", "5", 0, "s2", bench.now));
    EXPECT_EQ(bench.kv.find("lock")->lock_index, 2u);
    bench.kv.set("lock", "written over", 0);
    EXPECT_EQ(bench.kv.find("lock")->session, "s2");
    EXPECT_EQ(bench.kv.find("lock")->lock_index, 0u) << "as in Consul, whose record shows it";
}

// Goal: when a session ends its locks are released, and nobody gets them during the lock delay.
TEST(KvState, EndSessionReleasesAfterLockDelay) {
    Bench bench;
    bench.kv.acquire("lock", "1", 0, "s1", bench.now);
    bench.kv.end_session("s1", SessionBehavior::release, 15s, bench.now);
    EXPECT_EQ(bench.kv.find("lock")->session, "");
    EXPECT_EQ(bench.kv.find("lock")->value, "1");
    EXPECT_FALSE(bench.kv.acquire("lock", "2", 0, "s2", bench.now + 14s));
    EXPECT_TRUE(bench.kv.acquire("lock", "2", 0, "s2", bench.now + 15s));
}

// Goal: behaviour "delete" removes the keys; other keys stay.
TEST(KvState, EndSessionDeletesKeys) {
    Bench bench;
    bench.kv.acquire("a", "1", 0, "s1", bench.now);
    bench.kv.acquire("b", "1", 0, "s2", bench.now);
    bench.kv.end_session("s1", SessionBehavior::delete_, 0s, bench.now);
    EXPECT_FALSE(bench.kv.find("a"));
    EXPECT_TRUE(bench.kv.find("b"));
}

// Goal: keys are listed up to the separator, each once.
TEST(KvState, KeysStopAtSeparator) {
    Bench bench;
    for (const auto* key : {"bar", "base/foo", "base/base/foo", "base/base/goo"})
        bench.kv.set(key, "1", 0);
    EXPECT_EQ(bench.kv.keys("base/", "/"), (std::vector<std::string>{"base/base/", "base/foo"}));
    EXPECT_EQ(bench.kv.keys("base", ""), (std::vector<std::string>{"base/base/foo", "base/base/goo", "base/foo"}));
    EXPECT_EQ(bench.kv.keys("", "/"), (std::vector<std::string>{"bar", "base/"}));
}

// Goal: deleting moves the index of the key's prefix forward, and of no other prefix.
TEST(KvState, RemoveMovesIndexOfItsPrefix) {
    Bench bench;
    bench.kv.set("a/1", "x", 0);
    bench.kv.set("a/2", "x", 0);
    bench.kv.set("b/1", "x", 0);
    const auto a = bench.kv.index_of_prefix("a/"), b = bench.kv.index_of_prefix("b/");
    bench.kv.remove("a/2");
    EXPECT_GT(bench.kv.index_of_prefix("a/"), a);
    EXPECT_EQ(bench.kv.index_of_prefix("b/"), b);
    EXPECT_GT(bench.kv.index_of_key("a/2"), a);
    const auto removed = bench.kv.index_of_prefix("a/");
    bench.kv.remove_tree("a/");
    EXPECT_GT(bench.kv.index_of_prefix("a/"), removed);
    EXPECT_TRUE(bench.kv.list("a/").empty());
}

// Goal: many deletions cost bounded memory and never let an index go back.
TEST(KvState, ManyRemovalsNeverTakeAnIndexBack) {
    Bench bench;
    bench.kv.set("keep/1", "x", 0);
    std::uint64_t last = bench.kv.index_of_prefix("t/");
    for (int i = 0; i < 5'000; ++i) { // more than are remembered
        const auto key = "t/" + std::to_string(i);
        bench.kv.set(key, "x", 0);
        bench.kv.remove(key);
        const auto index = bench.kv.index_of_prefix("t/");
        ASSERT_GT(index, last);
        last = index;
    }
}

// Goal: the store knows what its values take, whatever happened to them.
TEST(KvState, BytesFollowTheValues) {
    Bench bench;
    bench.kv.set("a", "12345", 0);
    bench.kv.set("b", "123", 0);
    bench.kv.set("a", "1", 0);
    EXPECT_EQ(bench.kv.bytes(), 4u);
    bench.kv.remove("b");
    EXPECT_EQ(bench.kv.bytes(), 1u);
    KvState restored(bench.index, bench.changes);
    restored.restore(9, {*bench.kv.find("a")});
    EXPECT_EQ(restored.bytes(), 1u);
    bench.kv.remove_tree("");
    EXPECT_EQ(bench.kv.bytes(), 0u);
}

// Goal: a conditional delete obeys its index; what is absent counts as deleted.
TEST(KvState, RemoveCasObeysIndex) {
    Bench bench;
    bench.kv.set("foo", "bar", 0);
    const auto index = bench.kv.find("foo")->modify_index;
    EXPECT_FALSE(bench.kv.remove_cas("foo", index - 1));
    EXPECT_TRUE(bench.kv.remove_cas("foo", index));
    EXPECT_TRUE(bench.kv.remove_cas("foo", index));
}

} // namespace
} // namespace flotilla::hub::consul::kv_state_test
