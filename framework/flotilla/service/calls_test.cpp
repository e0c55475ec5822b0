#include <flotilla/service/calls.hpp>

#include <gtest/gtest.h>

#include <flotilla/aio/manual_world.hpp>
#include <flotilla/resilience/test_registry.hpp>
#include <flotilla/service/test_host.hpp>

namespace flotilla::calls_test {
namespace {

using namespace test;
using namespace std::chrono_literals;

struct Id {
    std::string id;
};
struct Thing {
    std::string id;
    int size = 0;
};

constexpr Service things{"thing-service"};
constexpr Endpoint<Id, Thing> get{things, Method::get, "/things/{id}"};
constexpr Endpoint<Thing, Thing> add{things, Method::post, "/things", {.success = 201}};
constexpr Endpoint<Thing, Thing> add_once{things, Method::post, "/things/once", {.success = 201, .idempotent = true}};

/// An instance that does what a function says, and remembers the requests it saw.
class Upstream {
public:
    using Behaviour = std::function<void(http::Exchange&, http::Response&)>;

    Upstream(Bench& bench, std::string id, Behaviour behaviour)
        : id_(std::move(id)), behaviour_(std::move(behaviour)),
          server_(bench.world(), [this](Context& c, http::Exchange& e) { return handle(c, e); }),
          address_(value(server_.listen(Address::tcp("127.0.0.1", 0)))) {
        bench.scope().spawn(server_.run(bench.scope().context()));
    }
    Instance instance() const { return {.id = id_, .address = address_}; }

    std::vector<http::RequestHead> seen;
    bool hangs = false;

private:
    task<void> handle(Context& context, http::Exchange& exchange) {
        seen.push_back(exchange.request());
        std::ignore = co_await exchange.read_all(context);
        if (hangs) std::ignore = co_await sleep_for(context, 1h);
        http::Response response;
        response.head.headers.add("content-type", "application/json");
        response.body = R"({"id":")" + id_ + R"(","size":1})";
        behaviour_(exchange, response);
        if (response.head.status != 0) std::ignore = co_await exchange.respond(context, response.head, response.body);
    }
    std::string id_;
    Behaviour behaviour_;
    http::Server server_;
    Address address_;
};

void answer(http::Exchange&, http::Response&) {}
/// The connection ends after the request was read, without an answer.
void cut(http::Exchange& exchange, http::Response& response) {
    response.head.status = 0;
    exchange.reset();
}

class CallsTest : public testing::Test {
protected:
    ~CallsTest() override { bench_.finish(); }
    /// An instance where nobody listens.
    Instance gone() {
        http::Server server(bench_.world(), {});
        return {.id = "gone", .address = value(server.listen(Address::tcp("127.0.0.1", 0)))};
    }
    Upstream& upstream(std::string id, Upstream::Behaviour behaviour) {
        return *upstreams_.emplace_back(std::make_unique<Upstream>(bench_, std::move(id), std::move(behaviour)));
    }
    void know(std::vector<Instance> instances) {
        registry_ = value(open_registry(bench_.world(), bench_.client(), bench_.process(),
                                        {.url = "static:", .fixed = {{"thing-service", std::move(instances)}}}));
        targets_ = std::make_unique<Targets>(bench_.world(), bench_.client(), *registry_,
                                             bench_.process().retry_budgets, bench_.process(), options_);
        calls_ = std::make_unique<Calls>(*targets_);
        calls_->declare(things);
    }
    /// The caller's own span that the last call was a part of.
    const TraceContext& caller() const { return caller_; }
    template <class Request>
    Result<Thing> call(const Endpoint<Request, Thing>& endpoint, Request request) {
        Context bounded(bench_.root(), timeout_);
        caller_ = bounded.trace;
        return bench_.wait(calls_->call(bounded, endpoint, std::move(request)));
    }

    Bench bench_;
    std::vector<std::unique_ptr<Upstream>> upstreams_;
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<Targets> targets_;
    std::unique_ptr<Calls> calls_;
    TargetsOptions options_ = in_turn();
    Duration timeout_ = 10s;
    TraceContext caller_;
};

// Goal: instances take turns.
TEST_F(CallsTest, InstancesTakeTurns) {
    auto& one = upstream("one", answer);
    auto& two = upstream("two", answer);
    know({one.instance(), two.instance()});
    EXPECT_EQ(value(call(get, Id{"1"})).id, "one");
    EXPECT_EQ(value(call(get, Id{"1"})).id, "two");
    EXPECT_EQ(value(call(get, Id{"1"})).id, "one");
    EXPECT_EQ(one.seen.at(0).target, "/things/1");
    EXPECT_EQ(one.seen.at(0).authority, "thing-service");
}

// Goal: an instance that is gone, or ends in the middle, is passed over for the next one.
TEST_F(CallsTest, RepeatableCallFailsOver) {
    auto& broken = upstream("broken", cut);
    auto& fine = upstream("fine", answer);
    know({gone(), broken.instance(), fine.instance()});
    EXPECT_EQ(value(call(get, Id{"1"})).id, "fine");
    EXPECT_GE(broken.seen.size(), 1U);
}

// Goal: a call takes no longer than the target's options allow, tries included, whatever its caller waits.
TEST_F(CallsTest, CallEndsAtItsOwnTimeout) {
    options_.defaults.timeouts.call = 50ms;
    auto& one = upstream("one", answer);
    one.hangs = true;
    know({one.instance()});
    const auto began = bench_.world().monotonic();
    EXPECT_EQ(call(get, Id{"1"}).error().kind(), Kind::deadline_exceeded);
    EXPECT_LT(bench_.world().monotonic() - began, 5s) << "of the ten that the caller waits";
}

// Goal: what is said of an endpoint is in force for its calls and for no others.
TEST_F(CallsTest, EndpointHasOptionsOfItsOwn) {
    ASSERT_TRUE(options_.configuration.set_all(
        {"thing-service[GET /things/{id}].timeouts.call=50ms", "thing-service[POST /things/once].retry.retries=0"},
        "--target"));
    auto& one = upstream("one", answer);
    one.hangs = true;
    know({one.instance()});
    const auto began = bench_.world().monotonic();
    EXPECT_EQ(call(get, Id{"1"}).error().kind(), Kind::deadline_exceeded);
    EXPECT_LT(bench_.world().monotonic() - began, 5s);
    one.hangs = false;
    EXPECT_EQ(value(call(add, Thing{"1", 1})).id, "one");
    auto& broken = upstream("broken", cut);
    know({broken.instance()});
    EXPECT_FALSE(call(add_once, Thing{"1", 1}));
    EXPECT_EQ(broken.seen.size(), 1U) << "no retry";
    EXPECT_FALSE(call(get, Id{"1"}));
    EXPECT_GT(broken.seen.size(), 2U);
}

// Goal: with hedging on a call answers and fails as without.
TEST_F(CallsTest, HedgedCallAnswersAlike) {
    options_.defaults.hedging.enabled = true;
    auto& fine = upstream("fine", answer);
    know({fine.instance()});
    EXPECT_EQ(value(call(get, Id{"1"})).id, "fine");
    EXPECT_EQ(value(call(add_once, Thing{"1", 2})).id, "fine");
    EXPECT_TRUE(fine.seen.at(1).headers.has("idempotency-key"));
    know({gone()});
    const auto failed = call(get, Id{"1"});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind(), Kind::unavailable);
    EXPECT_TRUE(failed.error().message().contains("calling gone: ")) << failed.error().message();
}

// Goal: each try is a span of its own in the caller's trace: another parent for each server, none of them the caller's.
TEST_F(CallsTest, EachTryIsASpanOfItsOwn) {
    auto& broken = upstream("broken", cut);
    auto& fine = upstream("fine", answer);
    know({broken.instance(), fine.instance()});
    ASSERT_TRUE(call(get, Id{"1"}));
    ASSERT_EQ(broken.seen.size(), 1U);
    ASSERT_EQ(fine.seen.size(), 1U);
    const auto first = TraceContext::parse(broken.seen[0].headers.get("traceparent").value_or(""));
    const auto second = TraceContext::parse(fine.seen[0].headers.get("traceparent").value_or(""));
    EXPECT_EQ(first.trace_id, caller().trace_id);
    EXPECT_EQ(second.trace_id, caller().trace_id);
    EXPECT_NE(first.span_id, caller().span_id);
    EXPECT_NE(second.span_id, caller().span_id);
    EXPECT_NE(first.span_id, second.span_id);
}

// Goal: a call declared idempotent is repeated under one key, so that it happens once.
TEST_F(CallsTest, IdempotentCallIsRepeatedUnderItsKey) {
    auto& broken = upstream("broken", cut);
    auto& fine = upstream("fine", answer);
    know({broken.instance(), fine.instance()});
    EXPECT_EQ(value(call(add_once, Thing{"1", 1})).id, "fine");
    ASSERT_EQ(broken.seen.size(), 1U);
    const auto key = broken.seen[0].headers.get("idempotency-key");
    ASSERT_TRUE(key);
    EXPECT_EQ(fine.seen.at(0).headers.get("idempotency-key"), key);
    ASSERT_TRUE(call(add_once, Thing{"1", 1}));
    EXPECT_NE(fine.seen.at(1).headers.get("idempotency-key"), key);
}

// Goal: what may have happened already and must not happen twice is not sent twice.
TEST_F(CallsTest, OtherCallIsSentOnce) {
    auto& broken = upstream("broken", cut);
    auto& fine = upstream("fine", answer);
    know({broken.instance(), fine.instance()});
    const auto failed = call(add, Thing{"1", 1});
    ASSERT_FALSE(failed);
    EXPECT_TRUE(failed.error().kind() == Kind::bad_gateway || failed.error().kind() == Kind::unavailable);
    EXPECT_TRUE(failed.error().message().starts_with("calling broken: ")) << failed.error().message();
    EXPECT_EQ(broken.seen.size(), 1U);
    EXPECT_EQ(fine.seen.size(), 0U);
    EXPECT_FALSE(broken.seen[0].headers.has("idempotency-key"));
}

// Goal: when all fail, the error has what was wrong with each; log and metrics have it also when one succeeds.
TEST_F(CallsTest, EachFailureIsNamed) {
    const auto reset = [](http::Exchange& exchange, http::Response& response) { cut(exchange, response); };
    auto& broken = upstream("broken", reset);
    options_.defaults.retry.retries = 1; // both are tried twice
    know({gone(), broken.instance()});
    const auto failed = call(get, Id{"1"});
    ASSERT_FALSE(failed);
    const auto& message = failed.error().message();
    EXPECT_TRUE(message.starts_with("calling gone: cannot connect to ")) << message;
    EXPECT_TRUE(message.contains("; calling broken: the connection ended before a response began")) << message;

    auto& fine = upstream("fine", answer);
    know({broken.instance(), fine.instance()});
    EXPECT_EQ(value(call(get, Id{"1"})).id, "fine");
    EXPECT_EQ(bench_.lines_with("\"instance\":\"gone\"").size(), 1U);
    auto lines = bench_.lines_with("\"instance\":\"broken\"");
    std::erase_if(
        lines, [](const auto& line) { return line.at("message").as_string() != "an instance gave no usable answer"; });
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[1].at("level").as_string(), "warning");
    EXPECT_EQ(lines[1].at("reason").as_string(), "no_response");
    EXPECT_EQ(lines[1].at("call").as_string(), "GET /things/{id}");
    const auto metrics = bench_.process().metrics.prometheus_text();
    EXPECT_TRUE(
        metrics.contains("http_client_failed_requests_total{upstream=\"thing-service\",reason=\"no_response\"} 3"));
    EXPECT_TRUE(
        metrics.contains("http_client_failed_requests_total{upstream=\"thing-service\",reason=\"connect_failed\"} 2"));
}

// Goal: the only instance gets a second try: it may have closed the kept connection just then.
TEST_F(CallsTest, OnlyInstanceIsTriedTwice) {
    int requests = 0;
    auto& flaky = upstream("flaky", [&](http::Exchange& exchange, http::Response& response) {
        if (++requests == 1) cut(exchange, response);
    });
    know({flaky.instance()});
    EXPECT_EQ(value(call(add_once, Thing{"1", 1})).id, "flaky");
    EXPECT_EQ(requests, 2);
}

// Goal: when nobody can be reached the error says whom it tried last, and is worth a try later.
TEST_F(CallsTest, NobodyReachableIsUnavailable) {
    know({gone()});
    const auto failed = call(get, Id{"1"});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind(), Kind::unavailable);
    EXPECT_TRUE(failed.error().message().starts_with("calling gone: ")) << failed.error().message();
    know({});
    const auto none = call(get, Id{"1"});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), "no_instance");
}

// Goal: a service's error arrives as it left: kind, code, message, bad fields, time to wait.
TEST_F(CallsTest, ErrorsAreRebuilt) {
    auto& refusing = upstream("refusing", [](http::Exchange&, http::Response& response) {
        response.head.status = 400;
        response.body = R"({"status":400,"code":"invalid_request","detail":"2 fields are wrong",)"
                        R"("errors":[{"path":"size","message":"expected 1..3, found 4"}]})";
    });
    know({refusing.instance()});
    const auto refused = call(add_once, Thing{"1", 4});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::invalid);
    EXPECT_EQ(refused.error().code(), "invalid_request");
    EXPECT_EQ(refused.error().message(), "2 fields are wrong");
    ASSERT_EQ(refused.error().fields().size(), 1U);
    EXPECT_EQ(refused.error().fields()[0].path, "size");
    EXPECT_EQ(refusing.seen.size(), 1U) << "a refusal is an answer, not a reason to try again";
}

// Goal: an error that the last of its tries was answered with helps nobody further up to try again, and what is the
// caller's own mistake says nothing of that; the log says which instance was left and why.
TEST_F(CallsTest, AnsweredFailureEndsTheTriesFurtherUp) {
    int status = 500;
    auto& failing = upstream("failing", [&](http::Exchange&, http::Response& response) {
        response.head.status = status;
        response.body = "{}";
    });
    options_.defaults.retry.retries = 1;
    know({failing.instance()});
    const auto failed = call(get, Id{"1"});
    ASSERT_FALSE(failed);
    EXPECT_FALSE(failed.error().retry_helps());
    EXPECT_EQ(failing.seen.size(), 2U);
    const auto lines = bench_.lines_with("Max retries exceeded");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].at("instance").as_string(), "failing");
    EXPECT_EQ(lines[0].at("reason").as_string(), "status 500");
    status = 429;
    EXPECT_TRUE(call(get, Id{"1"}).error().retry_helps());
    EXPECT_EQ(failing.seen.size(), 3U) << "a quota is the caller's affair";
}

// Goal: an answer that is not what the contract says is the other side's fault and named as such.
TEST_F(CallsTest, BrokenAnswersAreBadGateway) {
    for (const auto& [status, body] :
         {std::pair(200, "nonsense"), {200, ""}, {200, R"({"id":1})"}, {200, R"({"size":1})"}, {302, ""}, {204, ""}}) {
        auto& odd = upstream("odd", [status, body](http::Exchange&, http::Response& response) {
            response.head.status = status;
            response.body = body;
        });
        know({odd.instance()});
        const auto failed = call(get, Id{"1"});
        ASSERT_FALSE(failed) << status << body;
        EXPECT_EQ(failed.error().kind(), Kind::bad_gateway) << status << body;
        EXPECT_EQ(failed.error().code(), "broken_answer");
        EXPECT_TRUE(failed.error().message().starts_with("thing-service answered GET /things/{id} with something else"))
            << failed.error().message();
    }
}

// Goal: a route that the other side does not have is its fault, not something that was not found.
TEST_F(CallsTest, MissingRouteIsBadGateway) {
    for (const int status : {404, 405}) {
        auto& other = upstream("other", [status](http::Exchange&, http::Response& response) {
            response.head.status = status;
            response.body = R"({"error":"Not found"})";
        });
        know({other.instance()});
        const auto failed = call(get, Id{"1"});
        ASSERT_FALSE(failed) << status;
        EXPECT_EQ(failed.error().code(), "broken_answer") << status;
    }
}

// Goal: calling a service that was not declared is found at the first call, whoever answers.
TEST_F(CallsTest, UndeclaredServiceIsRefused) {
    constexpr Service others{"other-service"};
    constexpr Endpoint<Id, Thing> look{others, Method::get, "/things/{id}"};
    know({});
    const auto failed = call(look, Id{"1"});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message(), "other-service is called but was not declared: name it in host.calls({...})");
}

task<void> call_into(Calls& calls, Context& context, std::optional<Result<Thing>>& into) {
    into = co_await calls.call(context, get, {.id = "1"});
}

// Goal: of a service of which nothing is known, with a registry that is silent, a call says so soon, not at its
// deadline.
TEST(CallsUnknown, SilentRegistryIsUnavailableSoon) {
    ManualWorld world;
    Telemetry telemetry{Logger("test", LogLevel::error)};
    SilentRegistry registry;
    http::Client http(world);
    RetryBudgets budgets;
    Targets targets(world, http, registry, budgets, telemetry, {});
    Calls calls(targets);
    calls.declare(things);
    Context root(world);
    Context bounded(root, Duration(30s));
    std::optional<Result<Thing>> outcome;
    Scope scope(root);
    scope.spawn(call_into(calls, bounded, outcome));
    world.run_posted();
    world.advance(world.at + 1900ms);
    world.run_posted();
    EXPECT_FALSE(outcome);
    world.advance(world.at + 200ms);
    world.run_posted();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error().code(), "no_instance");
    EXPECT_GT(outcome->error().retry_after(), Duration::zero());
}

// Goal: an instance that hangs costs what must not happen twice its deadline, and no more; what may be repeated half of
// it, and the rest is another instance's.
TEST_F(CallsTest, HangingInstanceEndsWithTheDeadlineOrIsPassedOver) {
    http::Server silent(bench_.world(), [](Context& context, http::Exchange&) -> task<void> {
        Event never;
        std::ignore = co_await never.wait(context);
    });
    const auto address = value(silent.listen(Address::tcp("127.0.0.1", 0)));
    Scope scope(bench_.root());
    scope.spawn(silent.run(scope.context()));
    auto& fine = upstream("fine", answer);
    timeout_ = 200ms;
    know({{.id = "silent", .address = address}, fine.instance()});
    const auto failed = call(add, Thing{"1", 1});
    EXPECT_TRUE(!failed && failed.error().kind() == Kind::deadline_exceeded);
    EXPECT_EQ(fine.seen.size(), 0U);
    know({{.id = "silent", .address = address}, fine.instance()});
    EXPECT_EQ(value(call(get, Id{"1"})).id, "fine");
    scope.cancel(Error(Kind::cancelled, "the test has ended"));
    bench_.wait(scope.join());
}

} // namespace
} // namespace flotilla::calls_test
