#include "hub/consul/registry_state.hpp"

#include <array>
#include <random>

#include <gtest/gtest.h>

#include <flotilla/base/ascii.hpp>

namespace flotilla::hub::consul::registry_state_test {
namespace {

using namespace std::chrono_literals;

ServiceDefinition service(std::string id, std::string name = "web") {
    ServiceDefinition definition;
    definition.id = std::move(id);
    definition.name = std::move(name);
    definition.port = 80;
    return definition;
}

CheckDefinition ttl_check(Duration ttl, std::optional<CheckStatus> status = std::nullopt) {
    CheckDefinition check;
    check.ttl = ttl;
    check.status = status;
    return check;
}

CheckDefinition http_check(Duration interval) {
    CheckDefinition check;
    check.type = CheckType::http;
    check.http = "http://127.0.0.1/health";
    check.interval = interval;
    return check;
}

/// A registry and a virtual clock.
struct Bench {
    Index index;
    ChangeLog changes;
    RegistryState registry{index, changes};
    Instant now{};

    void add(ServiceDefinition definition, std::vector<CheckDefinition> checks = {}) {
        registry.register_service(std::move(definition), std::move(checks), false, now);
    }
    std::vector<RegistryState::Probe> pass(Duration time) {
        now += time;
        return registry.tick(now);
    }
    CheckStatus status(std::string_view id) const { return registry.check(id)->status; }
};

// Goal: one check is named after its service, several are numbered, as in Consul.
TEST(RegistryState, RegisterServiceNamesItsChecks) {
    Bench bench;
    bench.add(service("web-1"), {ttl_check(1s)});
    bench.add(service("web-2"), {ttl_check(1s), ttl_check(1s)});
    EXPECT_TRUE(bench.registry.check("service:web-1"));
    EXPECT_TRUE(bench.registry.check("service:web-2:1"));
    EXPECT_TRUE(bench.registry.check("service:web-2:2"));
    EXPECT_EQ(bench.registry.check("service:web-1")->definition.name, "Service 'web' check");
}

// Goal: a TTL check is critical until reported, and again once its TTL has passed without a report.
TEST(RegistryState, TtlExpiresThenCheckIsCritical) {
    Bench bench;
    bench.add(service("web-1"), {ttl_check(10s)});
    EXPECT_EQ(bench.status("service:web-1"), CheckStatus::critical);
    ASSERT_TRUE(bench.registry.report_ttl("service:web-1", CheckStatus::passing, "ok", bench.now));
    EXPECT_EQ(bench.status("service:web-1"), CheckStatus::passing);
    EXPECT_EQ(bench.registry.next_due(), bench.now + 10s);
    bench.pass(9s);
    ASSERT_TRUE(bench.registry.report_ttl("service:web-1", CheckStatus::passing, "ok", bench.now));
    bench.pass(9s);
    EXPECT_EQ(bench.status("service:web-1"), CheckStatus::passing);
    bench.pass(1s);
    EXPECT_EQ(bench.status("service:web-1"), CheckStatus::critical);
    EXPECT_EQ(bench.registry.check("service:web-1")->output, "TTL expired");
    EXPECT_EQ(bench.registry.next_due(), Instant::max());
}

// Goal: reports for what is unknown or of another kind are told apart.
TEST(RegistryState, ReportForOtherChecksFails) {
    Bench bench;
    bench.add(service("web-1"), {http_check(1s)});
    EXPECT_EQ(bench.registry.report_ttl("nothing", CheckStatus::passing, "", bench.now).error().kind(),
              Kind::not_found);
    EXPECT_EQ(bench.registry.report_ttl("service:web-1", CheckStatus::passing, "", bench.now).error().kind(),
              Kind::conflict);
}

// Goal: an instance critical for long enough goes, with its checks; one that recovered in time stays.
TEST(RegistryState, CriticalForTooLongThenServiceIsDeregistered) {
    Bench bench;
    auto check = ttl_check(10s, CheckStatus::passing);
    check.deregister_after = 60s;
    bench.add(service("web-1"), {check});
    bench.pass(10s);
    EXPECT_EQ(bench.registry.next_due(), bench.now + 60s);
    bench.pass(59s);
    ASSERT_TRUE(bench.registry.report_ttl("service:web-1", CheckStatus::passing, "", bench.now));
    bench.pass(10s);
    EXPECT_EQ(bench.status("service:web-1"), CheckStatus::critical);
    bench.pass(60s);
    EXPECT_FALSE(bench.registry.service("web-1"));
    EXPECT_FALSE(bench.registry.check("service:web-1"));
}

// Goal: the index of a name moves with everything that concerns it and with nothing else, and never back.
TEST(RegistryState, IndexOfServiceMovesOnlyWithItsOwnChanges) {
    Bench bench;
    bench.add(service("web-1"), {ttl_check(10s, CheckStatus::passing)});
    bench.add(service("db-1", "db"));
    const auto before = bench.registry.index_of_service("web");
    ASSERT_TRUE(bench.registry.report_ttl("service:web-1", CheckStatus::passing, "new output", bench.now));
    bench.add(service("db-2", "db"));
    bench.add(service("web-1"), {ttl_check(10s, CheckStatus::passing)}); // the same again
    EXPECT_EQ(bench.registry.index_of_service("web"), before);
    ASSERT_TRUE(bench.registry.report_ttl("service:web-1", CheckStatus::warning, "", bench.now));
    const auto warned = bench.registry.index_of_service("web");
    EXPECT_GT(warned, before);
    EXPECT_TRUE(bench.registry.deregister_service("web-1"));
    EXPECT_GT(bench.registry.index_of_service("web"), warned);
    EXPECT_GE(bench.index.current, bench.registry.index_of_service("web"));
}

// Goal: registering again keeps a check's status, so that a restart of the client does not flap.
TEST(RegistryState, RegisterAgainKeepsStatus) {
    Bench bench;
    bench.add(service("web-1"), {ttl_check(10s)});
    ASSERT_TRUE(bench.registry.report_ttl("service:web-1", CheckStatus::passing, "fine", bench.now));
    auto changed = service("web-1");
    changed.tags = {"v2"};
    bench.add(changed, {ttl_check(20s)});
    EXPECT_EQ(bench.status("service:web-1"), CheckStatus::passing);
    EXPECT_EQ(bench.registry.check("service:web-1")->definition.ttl, Duration(20s));
    EXPECT_EQ(bench.registry.service("web-1")->definition.tags, std::vector<std::string>{"v2"});
}

// Goal: with replace_checks the checks that are not listed any more go.
TEST(RegistryState, RegisterReplacingRemovesOtherChecks) {
    Bench bench;
    bench.add(service("web-1"), {ttl_check(10s), ttl_check(10s)});
    bench.registry.register_service(service("web-1"), {ttl_check(10s)}, true, bench.now);
    EXPECT_EQ(bench.registry.checks().size(), 1u);
    EXPECT_TRUE(bench.registry.check("service:web-1"));
}

// Goal: an id that moves to another service name leaves the first one, and its watchers notice.
TEST(RegistryState, RegisterUnderOtherNameLeavesTheOld) {
    Bench bench;
    bench.add(service("x", "web"));
    const auto before = bench.registry.index_of_service("web");
    bench.add(service("x", "db"));
    EXPECT_TRUE(bench.registry.services_named("web").empty());
    EXPECT_EQ(bench.registry.services_named("db").size(), 1u);
    EXPECT_GT(bench.registry.index_of_service("web"), before);
}

// Goal: probes start at once and then every interval, one at a time; their outcome sets the status.
TEST(RegistryState, ProbesRunEveryInterval) {
    Bench bench;
    bench.add(service("web-1"), {http_check(10s)});
    auto probes = bench.pass(0s);
    ASSERT_EQ(probes.size(), 1u);
    EXPECT_TRUE(bench.pass(30s).empty()); // still running
    bench.registry.report_probe(probes[0], CheckStatus::passing, "200", bench.now);
    EXPECT_EQ(bench.status("service:web-1"), CheckStatus::passing);
    EXPECT_EQ(bench.registry.next_due(), bench.now + 10s);
    EXPECT_TRUE(bench.pass(9s).empty());
    EXPECT_EQ(bench.pass(1s).size(), 1u);
}

// Goal: a probe that ends after its check was replaced or removed says nothing about the new one.
TEST(RegistryState, LateProbeIsIgnored) {
    Bench bench;
    bench.add(service("web-1"), {http_check(10s)});
    const auto probes = bench.pass(0s);
    bench.add(service("web-1"), {http_check(5s)});
    bench.registry.report_probe(probes.at(0), CheckStatus::passing, "", bench.now);
    EXPECT_EQ(bench.status("service:web-1"), CheckStatus::critical);
    bench.registry.deregister_service("web-1");
    bench.registry.report_probe(probes.at(0), CheckStatus::passing, "", bench.now);
    EXPECT_TRUE(bench.registry.checks().empty());
}

// Goal: a check of the node counts for every service on it.
TEST(RegistryState, NodeCheckCountsForEveryService) {
    Bench bench;
    bench.add(service("web-1"));
    const auto before = bench.registry.index_of_service("web");
    CheckDefinition disk = ttl_check(10s);
    disk.id = disk.name = "disk";
    ASSERT_TRUE(bench.registry.register_check(disk, bench.now));
    EXPECT_EQ(bench.registry.checks_of("web-1").size(), 1u);
    EXPECT_GT(bench.registry.index_of_service("web"), before);
    disk.id = "other";
    disk.service_id = "nobody";
    EXPECT_EQ(bench.registry.register_check(disk, bench.now).error().kind(), Kind::not_found);
}

// Goal: after a restart everything is as it was, and TTLs and critical times start anew.
TEST(RegistryState, RestoreGivesFullTtl) {
    Bench before;
    auto check = ttl_check(10s, CheckStatus::passing);
    check.deregister_after = 60s;
    before.add(service("web-1"), {check});
    before.add(service("web-2"), {check});
    ASSERT_TRUE(before.registry.report_ttl("service:web-2", CheckStatus::critical, "bad", before.now));

    Bench after;
    after.now = Instant(1000s);
    std::vector<RegisteredService> services;
    std::vector<RegisteredCheck> checks;
    for (const auto& [id, each] : before.registry.services())
        services.push_back(each);
    for (const auto& [id, each] : before.registry.checks())
        checks.push_back(each);
    after.index = before.index;
    after.registry.restore(before.registry.meta(), services, checks, after.now);

    EXPECT_EQ(after.registry.index_of_service("web"), before.registry.index_of_service("web"));
    EXPECT_EQ(after.status("service:web-1"), CheckStatus::passing);
    after.pass(9s);
    EXPECT_EQ(after.status("service:web-1"), CheckStatus::passing);
    after.pass(1s);
    EXPECT_EQ(after.status("service:web-1"), CheckStatus::critical);
    EXPECT_TRUE(after.registry.service("web-2"));
    after.pass(50s);
    EXPECT_FALSE(after.registry.service("web-2"));
    EXPECT_TRUE(after.registry.service("web-1"));
}

// Goal: the status of a probed check follows only once it was seen often enough in a row.
TEST(RegistryState, ProbeFollowsItsThresholds) {
    Bench bench;
    auto check = http_check(1s);
    check.id = "c";
    check.status = CheckStatus::passing;
    check.successes_before_passing = 2;
    check.failures_before_warning = 2;
    check.failures_before_critical = 3;
    ASSERT_TRUE(bench.registry.register_check(check, bench.now));
    const auto probed = [&](CheckStatus seen) {
        bench.now += 1s;
        for (const auto& due : bench.registry.tick(bench.now))
            bench.registry.report_probe(due, seen, "", bench.now);
        return bench.registry.check("c")->status;
    };
    EXPECT_EQ(probed(CheckStatus::critical), CheckStatus::passing);
    EXPECT_EQ(probed(CheckStatus::critical), CheckStatus::warning);
    EXPECT_EQ(probed(CheckStatus::critical), CheckStatus::critical);
    EXPECT_EQ(probed(CheckStatus::passing), CheckStatus::critical);
    EXPECT_EQ(probed(CheckStatus::critical), CheckStatus::critical);
    EXPECT_EQ(probed(CheckStatus::passing), CheckStatus::critical);
    EXPECT_EQ(probed(CheckStatus::passing), CheckStatus::passing);
}

/// The questions that indexes answer, answered by a look at everything.
void expect_as_by_looking_at_everything(const Bench& bench) {
    const auto& registry = bench.registry;
    Instant next = Instant::max();
    for (const auto& [id, check] : registry.checks()) {
        const auto after = check.definition.deregister_after;
        if (!check.probing) next = std::min(next, check.due);
        if (after > 0s && check.status == CheckStatus::critical && !check.definition.service_id.empty())
            next = std::min(next, check.critical_since + after);
    }
    EXPECT_EQ(registry.next_due(), next);
    for (const char* name : {"web", "WEB", "db"}) {
        std::vector<const RegisteredService*> named;
        for (const auto& [id, each] : registry.services()) {
            if (equal_ignoring_case(each.definition.name, name)) named.push_back(&each);
        }
        EXPECT_EQ(registry.services_named(name), named) << name;
    }
    for (const auto& [service_id, service] : registry.services()) {
        std::vector<const RegisteredCheck*> own;
        for (const std::string& owner : {std::string(), service_id}) {
            for (const auto& [id, check] : registry.checks()) {
                if (check.definition.service_id == owner) own.push_back(&check);
            }
        }
        EXPECT_EQ(registry.checks_of(service_id), own) << service_id;
    }
}

// Goal: whatever happens in whatever order, what is found by index is what a look at everything finds.
TEST(RegistryState, IndexesAgreeWithEverything) {
    Bench bench;
    std::mt19937 random(20261128);
    const auto one_of = [&](auto... choices) {
        const std::array<std::common_type_t<decltype(choices)...>, sizeof...(choices)> all{choices...};
        return all[random() % all.size()];
    };
    std::size_t deregistered = 0;
    for (int step = 0; step < 3000 && !testing::Test::HasFailure(); ++step) {
        const std::string id = one_of("a", "b", "c", "d");
        auto check = one_of(0, 1) ? ttl_check(one_of(2s, 5s), one_of(CheckStatus::passing, CheckStatus::critical))
                                  : http_check(one_of(1s, 3s));
        check.deregister_after = one_of(0s, 0s, 4s);
        const auto services = bench.registry.services().size();
        switch (random() % 6) {
        case 0:
            bench.registry.register_service(service(id, one_of("web", "Web", "db")), {check}, one_of(0, 1), bench.now);
            break;
        case 1:
            check.id = one_of("node", "extra");
            check.service_id = one_of("", "a", "b");
            std::ignore = bench.registry.register_check(check, bench.now); // its service may be gone
            break;
        case 2:
            bench.registry.deregister_service(id);
            break;
        case 3:
            bench.registry.deregister_check(one_of("service:a", "service:b", "node", "extra"));
            break;
        case 4:
            std::ignore =
                bench.registry.report_ttl("service:" + id, one_of(CheckStatus::passing, CheckStatus::critical), "",
                                          bench.now); // it may be none of these
            break;
        default:
            for (const auto& due : bench.pass(one_of(0s, 1s, 6s)))
                bench.registry.report_probe(due, one_of(CheckStatus::passing, CheckStatus::critical), "", bench.now);
            deregistered += services - bench.registry.services().size();
        }
        expect_as_by_looking_at_everything(bench);
    }
    EXPECT_GT(deregistered, 0u) << "no service ever went because its check stayed critical";
}

} // namespace
} // namespace flotilla::hub::consul::registry_state_test
