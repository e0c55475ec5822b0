#include "hub/consul/session_state.hpp"

#include <gtest/gtest.h>

namespace flotilla::hub::consul::session_state_test {
namespace {

using namespace std::chrono_literals;

struct Bench {
    Index index;
    ChangeLog changes;
    KvState kv{index, changes};
    SessionState sessions{index, changes, kv};
    Instant now{};

    Result<void> create(std::string id, Duration ttl, std::vector<std::string> checks = {}) {
        Session session;
        session.id = std::move(id);
        session.ttl = ttl;
        session.lock_delay = 0s;
        session.service_checks = std::move(checks);
        return sessions.create(std::move(session), now);
    }
};

// Goal: a session ends when nobody renews it within twice its TTL, and its lock is free then.
TEST(SessionState, TtlPassesThenLockIsFree) {
    Bench bench;
    ASSERT_TRUE(bench.create("s1", 10s));
    ASSERT_TRUE(bench.kv.acquire("lock", "1", 0, "s1", bench.now));
    bench.now += 19s;
    ASSERT_TRUE(bench.sessions.renew("s1", bench.now));
    EXPECT_EQ(bench.sessions.next_due(), bench.now + 20s);
    bench.now += 19s;
    bench.sessions.tick(bench.now);
    EXPECT_EQ(bench.kv.find("lock")->session, "s1");
    bench.now += 1s;
    bench.sessions.tick(bench.now);
    EXPECT_FALSE(bench.sessions.find("s1"));
    EXPECT_EQ(bench.kv.find("lock")->session, "");
    EXPECT_FALSE(bench.sessions.renew("s1", bench.now));
}

// Goal: a session without TTL stays until it is destroyed.
TEST(SessionState, WithoutTtlStaysUntilDestroyed) {
    Bench bench;
    ASSERT_TRUE(bench.create("s1", 0s));
    bench.now += 24h * 365;
    bench.sessions.tick(bench.now);
    EXPECT_TRUE(bench.sessions.find("s1"));
    const auto index = bench.sessions.last_index();
    bench.sessions.destroy("s1", bench.now);
    bench.sessions.destroy("s1", bench.now);
    EXPECT_FALSE(bench.sessions.find("s1"));
    EXPECT_GT(bench.sessions.last_index(), index);
}

// Goal: TTLs outside Consul's range are refused.
TEST(SessionState, TtlOutOfRangeIsInvalid) {
    Bench bench;
    EXPECT_EQ(bench.create("s1", 9s).error().kind(), Kind::invalid);
    EXPECT_EQ(bench.create("s1", 25h).error().kind(), Kind::invalid);
}

// Goal: a session ends with the checks it names, and only with those.
TEST(SessionState, CheckFailsThenItsSessionsEnd) {
    Bench bench;
    ASSERT_TRUE(bench.create("s1", 0s, {"mem"}));
    ASSERT_TRUE(bench.create("s2", 0s, {"disk"}));
    bench.sessions.check_failed("mem", bench.now);
    EXPECT_FALSE(bench.sessions.find("s1"));
    EXPECT_TRUE(bench.sessions.find("s2"));
}

// Goal: a lock delay is shown as it was given and applied for at most a minute, as in Consul.
TEST(SessionState, LockDelayLastsAMinuteAtMost) {
    Bench bench;
    Session session;
    session.id = "s1";
    session.lock_delay = 90s;
    ASSERT_TRUE(bench.sessions.create(session, bench.now));
    ASSERT_TRUE(bench.kv.acquire("lock", "1", 0, "s1", bench.now));
    EXPECT_EQ(bench.sessions.find("s1")->lock_delay, Duration(90s));
    bench.sessions.destroy("s1", bench.now);
    EXPECT_FALSE(bench.kv.acquire("lock", "1", 0, "s2", bench.now + 59s));
    EXPECT_TRUE(bench.kv.acquire("lock", "1", 0, "s2", bench.now + 60s));
}

} // namespace
} // namespace flotilla::hub::consul::session_state_test
