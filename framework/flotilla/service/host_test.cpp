#include <flotilla/service/host.hpp>

#include <gtest/gtest.h>

#include <flotilla/base/constrained.hpp>
#include <flotilla/service/test_host.hpp>
#include <flotilla/store/test_account.hpp>

namespace flotilla::host_test {
namespace {

using namespace test;
using namespace std::chrono_literals;

struct Name {
    std::string name;
};
struct Greeting {
    std::string text;
};
struct PlaceThing {
    std::string id;
    Bounded<int, 1, 10> quantity;
};
struct Thing {
    std::string id;
    int quantity = 0;
};
struct Nothing {};

constexpr ErrorCode thing_exists{"thing_exists", Kind::conflict, "Thing {} exists"};

constexpr Service service{"test-service"};
constexpr Endpoint<Name, Greeting> greet{service, Method::get, "/greetings/{name}"};
constexpr Endpoint<PlaceThing, Thing> place{service, Method::post, "/things", {.success = 201, .idempotent = true}};
constexpr Endpoint<Name, Nothing> forget{service, Method::delete_, "/things/{name}"};
constexpr Endpoint<Name, Empty> touch{service, Method::post, "/things/{name}/touch", {.idempotent = true}};
constexpr Endpoint<Name, Greeting> wait{service, Method::get, "/wait/{name}"};
constexpr Endpoint<Name, Greeting> broken{service, Method::get, "/broken/{name}"};

constexpr Migration kMigrations[] = {
    {1, "0001_things", "CREATE TABLE things (id TEXT PRIMARY KEY, quantity BIGINT NOT NULL);"}};

constexpr Table<Thing> thing_table{"things"};

/// Serves the endpoints above; some of them wait for a gate.
class Things {
public:
    explicit Things(Database& database) : database_(database) {}

    Event entered, gate;
    int calls = 0;
    bool gated = false;

    task<Result<Greeting>> greet(Context&, Name request) { co_return Greeting{"Hello " + request.name}; }

    task<Result<Recorded<Thing>>> place(Context& context, PlaceThing request) {
        ++calls;
        entered.notify();
        if (gated) co_await must(gate.wait(context));
        co_return co_await database_.answer(context, [=](Transaction& tx) -> Result<Thing> {
            const Thing thing{request.id, request.quantity};
            if (!tx.try_insert(thing_table, thing)) return thing_exists.with(request.id);
            return thing;
        });
    }

    task<Result<Nothing>> forget(Context&, Name) { co_return Nothing{}; }

    task<Result<Recorded<Empty>>> touch(Context& context, Name) {
        ++calls;
        co_return co_await database_.answer(context, [](Transaction&) -> Result<Empty> { return Empty{}; });
    }

    task<Result<Greeting>> wait(Context& context, Name request) {
        entered.notify();
        auto opened = co_await gate.wait(context);
        if (request.name == "mine") co_return Error(Kind::internal, "secret: the wait went wrong");
        if (request.name == "refused") co_return thing_exists.with("x");
        if (!opened) co_return std::move(opened.error());
        co_return Greeting{"waited"};
    }

    task<Result<Greeting>> broken(Context&, Name request) {
        if (request.name == "int") throw 7;
        throw std::runtime_error("secret: password is 1234");
    }

private:
    Database& database_;
};

Things* install_things(Host& host) {
    auto& things = host.own<Things>(host.database(kMigrations));
    host.serve(greet, &Things::greet, things);
    host.serve(place, &Things::place, things);
    host.serve(forget, &Things::forget, things);
    host.serve(touch, &Things::touch, things);
    host.serve(wait, &Things::wait, things);
    host.serve(broken, &Things::broken, things);
    return &things;
}

class HostTest : public testing::Test {
protected:
    void start(HostOptions options = {}) {
        host_.emplace(bench_, [this](Host& host) { things_ = install_things(host); }, std::move(options));
    }
    /// Another service beside it, as far as the moment before it would run.
    Result<void> prepare_second(NodeOptions options) {
        options.service = "second";
        options.registry = "none";
        auto prepared =
            bench_.wait(ServiceNode::prepare(bench_.root(), bench_.world(), bench_.process(),
                                             {.node = std::move(options), .bus = "memory:second"}, [](Host&) {}));
        if (!prepared) return std::move(prepared.error());
        return {};
    }
    Bench bench_;
    std::optional<TestHost> host_;
    Things* things_ = nullptr;
};

// Goal: each refusal has its status, its code and what the client needs to do better.
TEST_F(HostTest, RefusalsHaveTheirStatus) {
    start();
    EXPECT_EQ(host_->get("/greetings/Ada").body, R"({"text":"Hello Ada"})");
    EXPECT_EQ(host_->get("/nowhere").status(), 404);
    EXPECT_EQ(code_of(host_->get("/nowhere")), "not_found");
    EXPECT_EQ(host_->get("/greetings/%zz").status(), 400);

    const auto wrong_method = host_->send("DELETE", "/things");
    EXPECT_EQ(wrong_method.status(), 405);
    EXPECT_EQ(wrong_method.head.headers.get("allow"), "POST");

    const auto text = host_->post("/things", "id=1", {{"content-type", "text/plain"}});
    EXPECT_EQ(text.status(), 415);
    EXPECT_EQ(code_of(text), "unsupported_media_type");
    EXPECT_FALSE(text.head.headers.has("allow"));

    const auto fields = host_->post("/things", R"({"quantity":11})");
    EXPECT_EQ(fields.status(), 400);
    EXPECT_EQ(json_of(fields).at("errors").as_array().size(), 2U) << fields.body;
    EXPECT_EQ(host_->post("/things", R"({"id":)").status(), 400);
    EXPECT_EQ(
        host_->post("/things", R"({"id":"1","quantity":1})", {{"idempotency-key", std::string(256, 'k')}}).status(),
        400);
    EXPECT_EQ(host_->post("/things", std::string(11 * 1024 * 1024, ' ')).status(), 413);
    EXPECT_EQ(things_->calls, 0);
}

// Goal: HEAD and OPTIONS are answered for every endpoint without its author's doing.
TEST_F(HostTest, HeadAndOptionsAreAnswered) {
    start();
    const auto head = host_->send("HEAD", "/greetings/Ada");
    EXPECT_EQ(head.status(), 200);
    EXPECT_EQ(head.body, "");
    const auto options = host_->send("OPTIONS", "/greetings/Ada");
    EXPECT_EQ(options.status(), 204);
    EXPECT_EQ(options.head.headers.get("allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(host_->send("OPTIONS", "/nowhere").status(), 404);
}

// Goal: what a handler throws reaches the log with its trace, and not the client.
TEST_F(HostTest, ThrownExceptionIsLoggedNotTold) {
    start();
    const auto answer =
        host_->get("/broken/it", {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}});
    EXPECT_EQ(answer.status(), 500);
    EXPECT_FALSE(answer.body.contains("secret")) << answer.body;
    EXPECT_EQ(json_of(answer).at("traceId"), "0af7651916cd43dd8448eb211c80319c");
    const auto lines = bench_.lines_with("secret: password is 1234");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].at("trace_id"), "0af7651916cd43dd8448eb211c80319c");

    EXPECT_EQ(host_->get("/broken/int").status(), 500);
    EXPECT_EQ(bench_.process().metrics.gauge("http_server_active_requests", "").value(), 0);
    EXPECT_EQ(host_->get("/greetings/Ada").status(), 200);
}

// Goal: past the deadline the answer is 504, whatever the handler makes of it; the client's own mistakes stay 4xx.
TEST_F(HostTest, DeadlineAnswers504) {
    start();
    const auto late = host_->get("/wait/long", {{"flotilla-timeout-ms", "20"}});
    EXPECT_EQ(late.status(), 504);
    EXPECT_EQ(code_of(late), "deadline_exceeded");
    const auto lines = bench_.lines_with("\"/wait/long\"");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].at("error").as_string(), "the deadline of this call has passed");
    const auto mine = host_->get("/wait/mine", {{"flotilla-timeout-ms", "20"}});
    EXPECT_EQ(mine.status(), 504) << mine.body;
    EXPECT_EQ(bench_.lines_with("secret: the wait went wrong").size(), 1U);
    EXPECT_EQ(host_->get("/wait/refused", {{"flotilla-timeout-ms", "20"}}).status(), 409);
}

// Goal: a key whose first request is still being handled is a conflict, told when to come again; afterwards it replays.
TEST_F(HostTest, KeyInUseIsConflict) {
    start();
    things_->gated = true;
    const std::string body = R"({"id":"a","quantity":1})";
    std::optional<Result<http::Response>> first;
    bench_.begin(host_->address(), request_of("POST", "/things", body, {{"idempotency-key", "k"}}), first);
    value(bench_.wait(things_->entered.wait(bench_.root())));

    const auto second = host_->post("/things", body, {{"idempotency-key", "k"}});
    EXPECT_EQ(second.status(), 409);
    EXPECT_EQ(code_of(second), "idempotency_key_in_use");
    EXPECT_EQ(second.head.headers.get("retry-after"), "1");

    things_->gate.notify();
    ASSERT_TRUE(bench_.eventually([&] { return first.has_value(); }));
    EXPECT_EQ(value(*first).status(), 201);
    const auto replay = host_->post("/things", body, {{"idempotency-key", "k"}});
    EXPECT_EQ(replay.status(), 201);
    EXPECT_EQ(replay.body, (*first)->body);
    EXPECT_EQ(replay.head.headers.get("idempotency-replayed"), "true");
    EXPECT_EQ(host_->post("/things", R"({"id":"b","quantity":1})", {{"idempotency-key", "k"}}).status(), 422);
    EXPECT_EQ(things_->calls, 1);
}

// Goal: an answer without content is the same when it is replayed.
TEST_F(HostTest, EmptyAnswerReplaysEmpty) {
    start();
    const auto first = host_->send("POST", "/things/a/touch", {}, {{"idempotency-key", "k"}});
    EXPECT_EQ(first.status(), 204) << first.body;
    const auto replay = host_->send("POST", "/things/a/touch", {}, {{"idempotency-key", "k"}});
    EXPECT_EQ(replay.status(), 204);
    EXPECT_EQ(replay.body, "");
    EXPECT_EQ(replay.head.headers.get("idempotency-replayed"), "true");
    EXPECT_EQ(things_->calls, 1);
    EXPECT_EQ(host_->send("DELETE", "/things/a").status(), 204);
}

// Goal: a failed try leaves no record: the same key may be tried again.
TEST_F(HostTest, FailureIsNotRecorded) {
    start();
    EXPECT_EQ(host_->post("/things", R"({"id":"a","quantity":1})").status(), 201);
    const auto refused = host_->post("/things", R"({"id":"a","quantity":1})", {{"idempotency-key", "k"}});
    EXPECT_EQ(refused.status(), 409);
    EXPECT_EQ(code_of(refused), "thing_exists");
    EXPECT_EQ(host_->post("/things", R"({"id":"b","quantity":1})", {{"idempotency-key", "k"}}).status(), 201);
}

// Goal: metrics speak of routes and of the method that was used, also where no route matched.
TEST_F(HostTest, MetricsCountByRouteMethodAndStatus) {
    start();
    ASSERT_EQ(host_->get("/greetings/Ada").status(), 200);
    ASSERT_EQ(host_->send("HEAD", "/greetings/Bob").status(), 200);
    ASSERT_EQ(host_->get("/a").status(), 404);
    ASSERT_EQ(host_->send("BREW", "/b").status(), 404);
    const auto metrics = host_->get("/metrics");
    EXPECT_TRUE(metrics.head.headers.get("content-type")->starts_with("text/plain; version=0.0.4"));
    for (const char* labels :
         {R"(http_request_method="GET",http_route="/greetings/{name}",http_response_status_code="200")",
          R"(http_request_method="HEAD",http_route="/greetings/{name}",http_response_status_code="200")",
          R"(http_request_method="GET",http_route="",http_response_status_code="404")",
          R"(http_request_method="_OTHER",http_route="",http_response_status_code="404")"}) {
        EXPECT_TRUE(metrics.body.contains(std::string("http_server_request_duration_seconds_count{") + labels + "} 1"))
            << labels << "\n"
            << metrics.body;
    }
    EXPECT_TRUE(metrics.body.contains("http_server_active_requests 0")) << metrics.body;
}

// Goal: a request in flight at shutdown is answered, new connections are refused, and readiness is gone meanwhile.
TEST_F(HostTest, ShutdownFinishesWhatIsInFlight) {
    start();
    std::optional<Result<http::Response>> answer;
    bench_.begin(host_->address(), request_of("GET", "/wait/long"), answer);
    value(bench_.wait(things_->entered.wait(bench_.root())));
    host_->request_stop();
    const auto refused = [&] {
        Context bounded(bench_.root(), Duration(1s));
        return !bench_.wait(bench_.world().connect(bounded, host_->address()));
    };
    EXPECT_TRUE(bench_.eventually(refused));
    EXPECT_FALSE(answer);
    EXPECT_FALSE(host_->ended());
    things_->gate.notify();
    EXPECT_TRUE(host_->stop());
    ASSERT_TRUE(bench_.eventually([&] { return answer.has_value(); }));
    EXPECT_EQ(value(*answer).status(), 200);
    EXPECT_EQ((*answer)->head.headers.get("connection"), "close");
}

// Goal: what does not end within the drain time is ended; the shutdown stays clean.
TEST_F(HostTest, DrainTimeEndsWhatHangs) {
    start({.node = {.drain = 20ms}});
    std::optional<Result<http::Response>> answer;
    bench_.begin(host_->address(), request_of("GET", "/wait/long"), answer);
    value(bench_.wait(things_->entered.wait(bench_.root())));
    EXPECT_TRUE(host_->stop());
    ASSERT_TRUE(bench_.eventually([&] { return answer.has_value(); }));
    EXPECT_TRUE(!*answer || (*answer)->status() == 503);
}

// Goal: a taken port stops the start with the address in the message.
TEST_F(HostTest, TakenPortIsNamed) {
    start();
    const auto prepared = prepare_second({.port = host_->address().port});
    ASSERT_FALSE(prepared);
    EXPECT_TRUE(prepared.error().message().contains(host_->address().to_string())) << prepared.error().message();
}

// Goal: several loops share a port among themselves, and not with a stranger who shares his too.
TEST_F(HostTest, SharedPortIsNotSharedWithStrangers) {
    start({.node = {.loops = 2}});
    EXPECT_FALSE(prepare_second({.port = host_->address().port, .loops = 2}));
}

/// What an impossible wiring is refused with, or "started".
std::string refused(const std::function<void(Host&)>& install) {
    Bench bench;
    try {
        TestHost host(bench, install);
    } catch (const std::logic_error& mistake) {
        return mistake.what();
    }
    return "started";
}

// Goal: a service shows how it calls others: options with where they were said, and that an instance is out.
TEST(HostTargets, PageAndReadinessTellHowOthersAreCalled) {
    static constexpr Service things{"thing-service"};
    static constexpr Endpoint<Name, Greeting> ask{service, Method::get, "/ask/{name}"};
    static constexpr Endpoint<Name, Greeting> theirs{things, Method::get, "/greetings/{name}"};
    Bench bench;
    const auto gone = [&]() -> Instance {
        http::Server nobody(bench.world(), {});
        return {.id = "gone", .address = value(nobody.listen(Address::tcp("127.0.0.1", 0)))};
    }();
    HostOptions options;
    value(options.targets.set_all({"*.breaker.failures=1 # flotilla.yaml: targets", "thing-service.retry.retries=0",
                                   "thing-srvice.retry.retries=1"},
                                  "--target"));
    TestHost host(bench,
                  [](Host& made) {
                      auto& calls = made.calls({things});
                      made.serve(ask,
                                 [&calls](Context& context, Name name) { return calls.call(context, theirs, name); });
                  },
                  options, {{"thing-service", {gone}}});
    EXPECT_EQ(json_of(host.get("/readyz")).at("checks").as_object().count("thing-service"), 0U);
    EXPECT_EQ(host.get("/ask/Ada").status(), 503);
    const auto ready = json_of(host.get("/readyz"));
    EXPECT_EQ(ready.at("checks").at("thing-service").at("status"), "ok");
    EXPECT_TRUE(ready.at("checks")
                    .at("thing-service")
                    .at("detail")
                    .as_string()
                    .starts_with("1 of 1 instances are out: gone OPEN for another "));
    const auto page = host.get("/targetz");
    EXPECT_EQ(json_of(page).at("targets").at(0).at("instances").at(0).at("state"), "OPEN");
    EXPECT_EQ(json_of(page).at("targets").at(0).at("panic"), true);
    EXPECT_TRUE(page.body.contains(R"({"key":"breaker.failures","value":"1","from":"flotilla.yaml: targets"})"));
    EXPECT_TRUE(page.body.contains(R"({"key":"retry.retries","value":"0","from":"--target"})"));
    const auto warned = bench.lines_with("options of a target that is not called");
    ASSERT_EQ(warned.size(), 1U);
    EXPECT_EQ(warned[0].at("target"), "thing-srvice");
    EXPECT_EQ(warned[0].at("did_you_mean"), "thing-service");
}

// Goal: mistakes in wiring stop the start instead of waiting for the first request.
TEST(HostInstall, ImpossibleWiringIsRefused) {
    static constexpr Endpoint<Empty, Empty> page{service, Method::get, "/readyz"};
    EXPECT_EQ(refused([](Host& host) {
                  host.serve(page, [](Context&, Empty) -> task<Result<Empty>> { co_return Empty{}; });
              }),
              "/readyz is a page of the framework");
    EXPECT_TRUE(refused([](Host& host) {
                    install_things(host);
                    install_things(host);
                }).contains("twice"));
    struct Listener {
        Result<void> hear(Transaction&, const Received<Name>&) { return {}; }
    };
    static constexpr Topic<Name> topic{"named"};
    EXPECT_EQ(
        refused([](Host& host) {
            auto& listener = host.own<Listener>();
            host.on(topic, &Listener::hear, listener);
            host.on(topic, &Listener::hear, listener);
        }),
        "two handlers of named are both the consumer test-service: give each further handler of a topic a name of "
        "its own, which stays for ever");
    struct Worker {
        task<Result<void>> work(Context&, Name) { co_return Result<void>(); }
    };
    static constexpr Job<Name> job{"work"};
    EXPECT_EQ(refused([](Host& host) {
                  std::ignore = host.database(kMigrations);
                  auto& worker = host.own<Worker>();
                  host.perform(job, &Worker::work, worker);
                  host.perform(job, &Worker::work, worker);
              }),
              "host.perform() was called twice for work");
}

struct Basket {
    std::string last;
};
void apply(Basket& basket, const Name& event) { basket.last = event.name; }

// Goal: what is stored is found by its names, so that a wiring in which two things have one does not start.
TEST(HostInstall, StoredEventsHaveOneNameEach) {
    static constexpr Aggregate<account::State> savings{"account-savings", account::opened};
    static constexpr Aggregate<account::State> carts{"cart", account::opened};
    static constexpr EventType<Name> impostor{"account.opened"};
    static constexpr Aggregate<Basket> baskets{"basket", impostor};
    static constexpr EventSubscription balances{"balances", Since::now, {when<account::closed, account::note_closing>}};
    const auto refused_with = [](auto rest) {
        return refused([rest](Host& host) {
            std::ignore = host.database(kMigrations);
            host.events({account::accounts});
            rest(host);
        });
    };
    EXPECT_EQ(refused([](Host& host) { host.events({account::accounts}); }),
              "host.events() needs host.database() first");
    EXPECT_EQ(refused([](Host& host) {
                  std::ignore = host.database(kMigrations);
                  host.projection({account::balances_v1});
              }),
              "host.projection() needs host.events() first");
    EXPECT_EQ(refused_with([](Host& host) { host.events({savings}); }),
              "streams of the aggregates account-savings and account could have the same name");
    EXPECT_EQ(refused_with([](Host& host) { host.events({baskets}); }),
              "two event types are both called account.opened");
    EXPECT_EQ(refused_with([](Host& host) { host.projection({account::balances_v2, account::balances_v1}); }),
              "the versions of the projection balances are given together, the newest one last");
    EXPECT_EQ(refused_with([](Host& host) {
                  host.projection({account::balances_v1});
                  host.subscription(balances);
              }),
              "two projections or subscriptions are both called balances");
    EXPECT_EQ(refused_with([](Host& host) {
                  host.events({carts});
                  host.projection({account::balances_v1, account::balances_v2});
              }),
              "started");
}

struct Forgetful {
    task<Result<Thing>> place(Context&, PlaceThing request) { co_return Thing{.id = request.id}; }
    task<Result<Recorded<Thing>>> answer(Context& context, PlaceThing request) {
        co_return co_await database->answer(context,
                                            [=](Transaction&) -> Result<Thing> { return Thing{.id = request.id}; });
    }
    Database* database = nullptr;
};

// Goal: an endpoint that is declared idempotent and does not record, or the other way round, does not start.
TEST(HostInstall, IdempotentEndpointRecords) {
    EXPECT_EQ(refused([](Host& host) { host.serve(place, &Forgetful::place, host.own<Forgetful>()); }),
              "POST /things is declared idempotent: its method answers with Recorded<Response>, from "
              "Database::answer()");
    EXPECT_EQ(refused([](Host& host) { host.serve(place, &Forgetful::answer, host.own<Forgetful>()); }),
              "/things is declared idempotent: that needs host.database()");
    static constexpr Endpoint<PlaceThing, Thing> once{service, Method::post, "/once"};
    EXPECT_EQ(refused([](Host& host) { host.serve(once, &Forgetful::answer, host.own<Forgetful>()); }),
              "POST /once answers with Recorded<Response>, but is not declared idempotent");
    static constexpr Endpoint<Name, Greeting> foreign{Service{"other-service"}, Method::get, "/foreign/{name}"};
    EXPECT_EQ(refused([](Host& host) {
                  auto& things = *install_things(host);
                  host.serve(foreign, &Things::greet, things);
              }),
              "GET /foreign/{name} is other-service's, /greetings/{name} is test-service's: a host serves one service");
}

} // namespace
} // namespace flotilla::host_test
