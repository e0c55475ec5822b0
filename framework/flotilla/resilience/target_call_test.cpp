#include <flotilla/resilience/target_call.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/resilience/hedged_call.hpp>
#include <flotilla/resilience/test_registry.hpp>

namespace flotilla::target_call_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// How an instance answers, and how often it was asked.
struct Server {
    int status = 200;
    bool hangs = false;
    std::vector<std::pair<std::string, std::string>> fields = {};
    int asked = 0;
    std::unique_ptr<http::Server> http = {};
};

/// A service whose instances answer as a test says, over real sockets.
class TargetCallTest : public testing::Test {
protected:
    TargetCallTest() { options_.this_host = "127.0.0.1"; }
    ~TargetCallTest() override {
        scope_.cancel(Error(Kind::cancelled, "the test is over"));
        loop_.run_until_done(scope_.join());
    }

    Server& serve(std::string id, Server how = {}) {
        auto& server = *servers_.emplace_back(std::make_unique<Server>(std::move(how)));
        server.http = std::make_unique<http::Server>(
            loop_.world(), [&server](Context& context, http::Exchange& exchange) -> task<void> {
                ++server.asked;
                if (server.hangs) std::ignore = co_await sleep_for(context, 1h);
                http::ResponseHead head;
                head.status = server.status;
                for (const auto& [name, value] : server.fields)
                    head.headers.add(name, value);
                std::ignore = co_await exchange.respond(context, head, "{}");
            });
        const auto address = server.http->listen(Address::tcp("127.0.0.1", 0)).value();
        scope_.spawn(server.http->run(scope_.context()));
        know(std::move(id), address);
        return server;
    }
    void serve_dead(std::string id) {
        auto listener = loop_.world().listen(Address::tcp("127.0.0.1", 0)).value();
        const auto address = listener->local();
        listener.reset();
        know(std::move(id), address);
    }
    /// Its machine has vanished: who connects hears nothing, as when packets are lost. (Its queue is full.)
    void serve_silence(std::string id) {
        silent_ = loop_.world().listen(Address::tcp("127.0.0.1", 0), {.backlog = 0}).value();
        for (bool queued = true; queued;) {
            Context context(root_, 50ms);
            auto stream = loop_.run_until_done(loop_.world().connect(context, silent_->local()));
            queued = stream.has_value();
            if (queued) in_queue_.push_back(std::move(*stream));
        }
        know(std::move(id), silent_->local());
    }
    void know(std::string id, const Address& address, std::string incarnation = "1") {
        registry_.know({.id = std::move(id),
                        .service = "thing-service",
                        .address = address,
                        .incarnation = std::move(incarnation)});
    }
    void forget_all() { registry_.set("thing-service", {}); }

    Targets& targets() {
        if (!targets_) targets_.emplace(loop_.world(), client_, registry_, budgets_, telemetry_, options_);
        return *targets_;
    }
    Target& target() { return targets().of("thing-service"); }

    task<Result<int>> one(Method method, CallTraits traits, Duration timeout) {
        Context context(root_, timeout);
        TargetCall call(targets(), target(), context, traits);
        http::RequestHead head;
        head.method = method;
        head.method_name = name(method);
        head.target = "/things/1";
        head.authority = "thing-service";
        auto answer = co_await call.send(head, {});
        if (!answer) co_return std::move(answer.error());
        co_return (*answer)->status;
    }
    Result<int> call(CallTraits traits = {.repeatable = true}, Duration timeout = 5s) {
        return loop_.run_until_done(one(traits.repeatable ? Method::get : Method::post, traits, timeout));
    }
    static task<Result<int>> status_of(Context& context, TargetCall& call) {
        http::RequestHead head;
        head.target = "/things/1";
        head.authority = "thing-service";
        const auto* answer = co_await must(call.send(head, {}));
        if (answer->status >= 500) co_return Error(Kind::bad_gateway, std::to_string(answer->status));
        co_return answer->status;
    }
    task<Result<int>> hedge(Duration timeout) {
        Context context(root_, timeout);
        co_return co_await hedged_call<int>(targets(), target(), context, {.repeatable = true}, &status_of);
    }
    /// A hedged call, and how long it took.
    std::pair<Result<int>, Duration> hedged(Duration timeout = 5s) {
        const auto began = loop_.world().monotonic();
        auto outcome = loop_.run_until_done(hedge(timeout));
        return {std::move(outcome), loop_.world().monotonic() - began};
    }
    BreakerState state(std::string_view id) {
        for (const auto& each : target().instances())
            if (each->id == id) return each->breaker.state();
        throw std::logic_error("there is no such instance");
    }
    std::string metrics() {
        targets().publish("0");
        return telemetry_.metrics.prometheus_text();
    }

    Loop loop_;
    Context root_{loop_.world()};
    Scope scope_{root_};
    Telemetry telemetry_{Logger("test", LogLevel::error)};
    http::Client client_{loop_.world()};
    test::ToldRegistry registry_;
    RetryBudgets budgets_;
    TargetsOptions options_;
    std::vector<std::unique_ptr<Server>> servers_;
    std::unique_ptr<Listener> silent_;
    std::vector<std::unique_ptr<Stream>> in_queue_;
    std::optional<Targets> targets_;
};

// Goal: nobody notices that one of three refuses connections, and after five refusals nobody asks it any more.
TEST_F(TargetCallTest, InstanceThatRefusesIsTakenOut) {
    serve("one");
    serve("two");
    serve_dead("gone");
    options_.defaults.balancing.policy = BalancingPolicy::round_robin;
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(call({}).value_or(0), 200) << "nothing was sent, so that it is safe whatever it is for";
    EXPECT_EQ(state("gone"), BreakerState::open);
    EXPECT_THAT(
        metrics(),
        testing::AllOf(
            HasSubstr("http_client_failed_requests_total{upstream=\"thing-service\",reason=\"connect_failed\"} 5"),
            HasSubstr("circuit_breaker_transitions_total{upstream=\"thing-service\",state=\"OPEN\"} 1"),
            HasSubstr("circuit_breaker_instances{loop=\"0\",upstream=\"thing-service\",state=\"OPEN\"} 1"),
            HasSubstr("circuit_breaker_instances{loop=\"0\",upstream=\"thing-service\",state=\"CLOSED\"} 2"),
            HasSubstr("http_client_retries_total{upstream=\"thing-service\"} 0")));
}

// Goal: what is safe to repeat is asked of another instance when one answers with an error of its own; what is not, is
// answered as it was.
TEST_F(TargetCallTest, ErrorOfAnInstanceIsBetteredByAnotherWhereThatIsSafe) {
    serve("broken", {.status = 500});
    serve("well");
    options_.defaults.balancing.policy = BalancingPolicy::round_robin;
    EXPECT_EQ(call().value_or(0), 200);
    EXPECT_EQ(call().value_or(0), 200) << "which begins at the broken one, too: a try takes a turn";
    EXPECT_THAT(metrics(), HasSubstr("http_client_retries_total{upstream=\"thing-service\"} 2"));
    int failed = 0;
    for (int i = 0; i < 4; ++i)
        failed += call({.repeatable = false}).value_or(0) == 500;
    EXPECT_EQ(failed, 2) << "in turn";
}

// Goal: 4xx, and 5xx that another try does not help, are answered at once and say nothing against the instance.
TEST_F(TargetCallTest, AnswersThatNoOtherTryBettersEndTheCall) {
    auto& server = serve("one", {.status = 404});
    serve("two", {.status = 404});
    for (int i = 0; i < 12; ++i)
        EXPECT_EQ(call().value_or(0), 404);
    for (auto& each : servers_) {
        each->status = 503;
        each->fields = {{"flotilla-retry", "no"}};
    }
    const int before = servers_[0]->asked + servers_[1]->asked;
    for (int i = 0; i < 12; ++i)
        EXPECT_EQ(call().value_or(0), 503);
    EXPECT_EQ(servers_[0]->asked + servers_[1]->asked, before + 12) << "one try each";
    EXPECT_EQ(state("one"), BreakerState::closed);
    EXPECT_EQ(state("two"), BreakerState::closed);
    EXPECT_GT(server.asked, 0);
}

// Goal: nor does connecting to a machine that has vanished take all of a call's time, even of one that must not be
// repeated: nothing was sent.
TEST_F(TargetCallTest, MachineThatVanishedLeavesTimeForAnother) {
    serve_silence("one");
    serve("two");
    options_.defaults.balancing.policy = BalancingPolicy::round_robin;
    for (const bool repeatable : {true, false, true, false})
        EXPECT_EQ(call({.repeatable = repeatable}, 400ms).value_or(0), 200);
    EXPECT_THAT(metrics(), HasSubstr("reason=\"connect_timeout\""));
}

// Goal: an instance that hangs costs a call half of its time, not all of it; nothing is taken for its answer.
TEST_F(TargetCallTest, InstanceThatHangsLeavesTimeForAnother) {
    serve("hanging", {.hangs = true});
    serve("well");
    options_.defaults.balancing.policy = BalancingPolicy::round_robin;
    EXPECT_EQ(call({.repeatable = true}, 400ms).value_or(0), 200);
    EXPECT_THAT(metrics(), HasSubstr("reason=\"attempt_timeout\"} 1"));
}

// Goal: where all fail, the tries end with the budget: what is sent is little more than what was asked.
TEST_F(TargetCallTest, RetriesEndWithTheBudget) {
    serve("one", {.status = 500});
    serve("two", {.status = 500});
    options_.defaults.retry.backoff = options_.defaults.retry.backoff_max = 1ms;
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(call().value_or(0), 500);
    EXPECT_LE(servers_[0]->asked + servers_[1]->asked, 100 + 10) << "the process' floor, and no successes to add to it";
    EXPECT_THAT(metrics(), testing::Not(HasSubstr("http_client_retries_refused_total{upstream=\"thing-service\"} 0")));
}

// Goal: where something else can be answered nobody waits for the second that an instance asks for.
TEST_F(TargetCallTest, StandInEndsTheWaitForRetryAfter) {
    auto& one = serve("one", {.status = 503, .fields = {{"retry-after", "1"}}});
    StandsIn other{100ms};
    const Carried<StandsIn> carried(root_, other);
    const auto began = loop_.world().monotonic();
    EXPECT_EQ(call().value_or(0), 503);
    EXPECT_LT(loop_.world().monotonic() - began, 900ms);
    EXPECT_EQ(one.asked, 1);
}

// Goal: more calls than a target takes wait, and beyond that are refused at once, in words.
TEST_F(TargetCallTest, BulkheadBoundsWhatIsUnderWay) {
    serve("one", {.hangs = true});
    options_.defaults.bulkhead = {.concurrency = 1, .queue = 1};
    std::vector<Result<int>> outcomes(3, 0);
    const auto into = [&](std::size_t at) -> task<void> {
        outcomes[at] = co_await one(Method::get, {.repeatable = true}, 50ms);
    };
    const auto all = [&]() -> task<void> {
        co_await scoped(root_, [&](Scope& scope) -> task<void> {
            for (std::size_t i = 0; i < outcomes.size(); ++i)
                scope.spawn(into(i));
            co_return;
        });
    };
    loop_.run_until_done(all());
    EXPECT_EQ(outcomes[0].error().kind(), Kind::deadline_exceeded);
    EXPECT_EQ(outcomes[1].error().kind(), Kind::deadline_exceeded);
    EXPECT_EQ(outcomes[2].error().code(), "target_busy");
    EXPECT_GT(outcomes[2].error().retry_after(), 0s);
}

// Goal: an instance that is missed for a moment comes back as the one it was; a new run of it begins anew.
TEST_F(TargetCallTest, IncarnationKeepsItsState) {
    serve_dead("gone");
    serve("well");
    const auto list = registry_.instances("thing-service");
    options_.defaults.balancing.policy = BalancingPolicy::round_robin;
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(call().value_or(0), 200);
    ASSERT_EQ(state("gone"), BreakerState::open);

    const auto before = target().instances().front();
    forget_all();
    EXPECT_EQ(call().error().code(), "no_instance");
    registry_.set("thing-service", *list);
    targets().publish("0");
    EXPECT_EQ(state("gone"), BreakerState::half_open) << "the same, with a chance";

    EXPECT_EQ(target().instances().front(), before) << "with the uploads that it still has";
    know("gone", list->front().address, "2");
    targets().publish("0");
    EXPECT_EQ(state("gone"), BreakerState::closed);
}

// Goal: all are bad, so all are used; the first good answer is found by the next calls.
TEST_F(TargetCallTest, PoolIsNeverEmpty) {
    for (const auto* id : {"one", "two", "three"})
        serve(id, {.status = 500});
    for (int i = 0; i < 60; ++i)
        std::ignore = call({.repeatable = false});
    EXPECT_THAT(metrics(), HasSubstr("http_client_panics_total{upstream=\"thing-service\"} 1"));
    servers_[1]->status = 200;
    int tries = 1;
    while (call({.repeatable = false}).value_or(0) != 200 && tries < 100)
        ++tries;
    EXPECT_LE(tries, 3) << "in turn";
}

// Goal: the error of a call whose tries are spent says so to whoever hears of it, over HTTP too.
TEST_F(TargetCallTest, ErrorOfSpentTriesHelpsNobodyFurtherUp) {
    serve_dead("gone");
    options_.defaults.retry.backoff = options_.defaults.retry.backoff_max = 1ms;
    const auto outcome = call();
    ASSERT_FALSE(outcome);
    EXPECT_FALSE(outcome.error().retry_helps());
    http::Headers fields;
    http::add_problem_headers(fields, outcome.error());
    EXPECT_TRUE(http::says_no_retry(fields));
    http::Headers plain;
    http::add_problem_headers(plain, Error(Kind::unavailable, "busy"));
    EXPECT_FALSE(http::says_no_retry(plain));
}

// Goal: a call that takes longer than most is made at another instance as well, and the first answer ends both.
TEST_F(TargetCallTest, SlowCallIsMadeAtAnotherInstanceAsWell) {
    auto& one = serve("one");
    serve("two");
    options_.defaults.balancing.policy = BalancingPolicy::round_robin;
    options_.defaults.hedging = {.enabled = true, .calls_min = 20};
    for (int i = 0; i < 40; ++i)
        EXPECT_EQ(hedged().first.value_or(0), 200);
    one.hangs = true;
    for (int i = 0; i < 2; ++i) { // in turn: one of them begins at the one that hangs
        const auto [status, took] = hedged();
        EXPECT_EQ(status.value_or(0), 200);
        EXPECT_LT(took, 1s) << "half of the time is what a try has";
    }
    EXPECT_THAT(metrics(), HasSubstr("http_client_retries_total{upstream=\"thing-service\"} 0"));
    EXPECT_THAT(metrics(), testing::Not(HasSubstr("http_client_hedges_total{upstream=\"thing-service\"} 0")));
    for (const auto& instance : target().instances())
        EXPECT_EQ(instance->in_flight, 0U) << instance->id;
}

// Goal: no second try without another instance, none once the first has its error, and none that nobody pays for.
TEST_F(TargetCallTest, SecondTryNeedsAnInstanceATimeAndABudget) {
    auto& one = serve("one");
    options_.defaults.hedging = {.enabled = true, .calls_min = 20};
    options_.defaults.retry.retries = 0;
    for (int i = 0; i < 40; ++i)
        EXPECT_EQ(hedged().first.value_or(0), 200);
    one.hangs = true;
    EXPECT_FALSE(hedged(100ms).first);
    one.hangs = false;
    one.status = 500;
    EXPECT_EQ(hedged().first.error().message(), "500");
    EXPECT_THAT(metrics(), HasSubstr("http_client_hedges_total{upstream=\"thing-service\"} 0"));
}

// Goal: when the second try fails the first one's answer counts, and when both fail its error.
TEST_F(TargetCallTest, SecondTryThatFailsChangesNothing) {
    serve("one");
    auto& two = serve("two");
    options_.defaults.balancing.policy = BalancingPolicy::round_robin;
    options_.defaults.hedging = {.enabled = true, .delay_min = 1ms, .calls_min = 20};
    options_.defaults.retry.retries = 0;
    for (int i = 0; i < 40; ++i)
        EXPECT_EQ(hedged().first.value_or(0), 200);
    for (auto& each : servers_)
        each->hangs = true;
    EXPECT_EQ(hedged(100ms).first.error().kind(), Kind::deadline_exceeded);
    EXPECT_THAT(metrics(), HasSubstr("http_client_hedges_total{upstream=\"thing-service\"} 1"));
    EXPECT_GT(two.asked, 0);
}

} // namespace
} // namespace flotilla::target_call_test
