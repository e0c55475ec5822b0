// The steps of a request (service/request_steps.cpp), each by itself: no server, no sockets.
#include <algorithm>

#include <gtest/gtest.h>

#include <flotilla/aio/manual_world.hpp>
#include <flotilla/service/preferred_wait.hpp>
#include <flotilla/service/request/http_edge.hpp>
#include <flotilla/service/request/idempotency.hpp>
#include <flotilla/service/request/limits.hpp>
#include <flotilla/service/request/preferences.hpp>
#include <flotilla/service/request/recording.hpp>
#include <flotilla/service/request/refusal.hpp>
#include <flotilla/service/request/routes.hpp>
#include <flotilla/service/request_steps.hpp>
#include <flotilla/service/test_host.hpp>
#include <flotilla/store/framework_tables.hpp>

namespace flotilla::steps_test {
namespace {

using namespace std::chrono_literals;
using test::Bench;
using test::value;

struct Sail {
    std::string ship;
    int knots = 0;
};
struct Sailed {
    std::string text;
};

constexpr Service service{"ship-service"};
constexpr Endpoint<Sail, Sailed> sail{service, Method::post, "/ships/{ship}/sail", {.success = 202}};
constexpr Endpoint<Sail, Empty> stop{service, Method::delete_, "/ships/{ship}"};

/// A request and what became of it.
class FakeExchange final : public http::Exchange {
public:
    FakeExchange(Method method, std::string target, std::string request_body = {}) : body(std::move(request_body)) {
        head.method = method;
        head.method_name = name(method);
        head.target = std::move(target);
    }

    const http::RequestHead& request() const override { return head; }
    http::BodySize request_body_size() const override { return http::BodySize::of(body.size()); }
    const Address& peer() const override { return peer_; }
    Result<void> limit_body(std::uint64_t bytes_max) override {
        limit = bytes_max;
        if (body.size() > bytes_max) return Error(Kind::too_large, "body_too_large", "too large");
        return {};
    }
    void limit_time(Duration max) override { time = max; }
    void end_with_client() override {}
    void limit_criticality(Criticality) override {}
    task<Result<std::string_view>> read(Context&) override {
        co_return std::exchange(read_, true) ? std::string_view() : std::string_view(body);
    }
    const http::Headers& request_trailers() const override { return trailers_; }
    task<Result<void>> send(Context&, const http::ResponseHead&, http::BodySize) override { co_return Result<void>(); }
    task<Result<void>> write(Context&, std::string_view) override { co_return Result<void>(); }
    task<Result<void>> finish(Context&, const http::Headers&) override { co_return Result<void>(); }
    task<Result<void>> respond(Context&, const http::ResponseHead& response, std::string_view text) override {
        answer = response;
        answered = text;
        has_responded = true;
        co_return Result<void>();
    }
    bool responded() const override { return has_responded; }
    void reset() override { was_reset = true; }
    task<Result<std::unique_ptr<Stream>>> upgrade(Context&, const http::ResponseHead&) override {
        co_return Error(Kind::unimplemented, "no");
    }

    http::RequestHead head;
    std::string body;
    std::uint64_t limit = 0;
    Duration time{};
    http::ResponseHead answer;
    std::string answered;
    bool has_responded = false, was_reset = false;

private:
    Address peer_;
    http::Headers trailers_;
    bool read_ = false;
};

task<Result<Sailed>> go(Context&, Sail request) {
    co_return Sailed{request.ship + " at " + std::to_string(request.knots)};
}
task<Result<Empty>> halt(Context&, Sail) { co_return Empty{}; }

using Go = task<Result<Sailed>> (*)(Context&, Sail);
using Halt = task<Result<Empty>> (*)(Context&, Sail);
std::unique_ptr<EndpointCore> sailing() { return std::make_unique<detail::TypedEndpoint<Sail, Sailed, Go>>(sail, &go); }
std::unique_ptr<EndpointCore> stopping() {
    return std::make_unique<detail::TypedEndpoint<Sail, Empty, Halt>>(stop, &halt);
}

/// A call inside the process: the request moves in, the response moves out, nothing becomes text.
class DirectEdge final : public EndpointEdge {
public:
    explicit DirectEdge(Sail request) : request_(std::move(request)) {}
    Result<void> read(void* request) override {
        *static_cast<Sail*>(request) = std::move(request_);
        return {};
    }
    Result<ExpectedVersion> expected_version() override { return ExpectedVersion(); }
    void write(void* response, std::string&, std::int64_t) override {
        result = std::move(*static_cast<Sailed*>(response));
    }
    BodyStream& body() override { throw std::logic_error("no stream"); }
    EventSink& events() override { throw std::logic_error("no events"); }
    Sailed result;

private:
    Sail request_;
};

// Goal: an endpoint's core knows no protocol: a call inside the process reaches the same method.
TEST(EndpointCore, EdgeWithoutProtocolReachesTheMethod) {
    Bench bench;
    DirectEdge edge({.ship = "Ada", .knots = 7});
    value(bench.wait(sailing()->call(bench.root(), edge)));
    EXPECT_EQ(edge.result.text, "Ada at 7");
}

// Goal: over HTTP path and body are bound and the response is JSON with the declared status; a response type without
// fields has no content.
TEST(HttpEdge, RequestIsBoundAndResponseWritten) {
    Bench bench;
    FakeExchange exchange(Method::post, "/ships/Ada/sail", R"({"knots":7})");
    const http::PathParameters parameters{{"ship", "Ada"}};
    HttpEdge edge(sail, exchange, parameters, exchange.body);
    value(bench.wait(sailing()->call(bench.root(), edge)));
    EXPECT_EQ(value(bench.wait(edge.respond(bench.root()))), 202);
    EXPECT_EQ(exchange.answered, R"({"text":"Ada at 7"})");
    EXPECT_EQ(exchange.answer.headers.get("content-type"), "application/json");

    FakeExchange other(Method::delete_, "/ships/Ada?knots=1");
    HttpEdge empty(stop, other, parameters, {});
    value(bench.wait(stopping()->call(bench.root(), empty)));
    EXPECT_EQ(value(bench.wait(empty.respond(bench.root()))), 204);
    EXPECT_FALSE(other.answer.headers.has("content-type"));
}

// Goal: a bad request does not reach the method.
TEST(HttpEdge, BadRequestNamesItsFields) {
    Bench bench;
    FakeExchange exchange(Method::post, "/ships/Ada/sail", R"({"knots":"fast"})");
    const http::PathParameters parameters{{"ship", "Ada"}};
    HttpEdge edge(sail, exchange, parameters, exchange.body);
    const auto refused = bench.wait(sailing()->call(bench.root(), edge));
    ASSERT_FALSE(refused);
    ASSERT_EQ(refused.error().fields().size(), 1U);
    EXPECT_EQ(refused.error().fields()[0].path, "knots");
}

// Goal: a response that was recorded is sent as it was written, and not written again.
TEST(HttpEdge, RecordedTextIsSentAsItIs) {
    Bench bench;
    FakeExchange exchange(Method::post, "/ships/Ada/sail");
    const http::PathParameters parameters;
    HttpEdge edge(sail, exchange, parameters, {});
    Sailed response{"made"};
    std::string recorded = R"({"text" : "recorded"})";
    edge.write(&response, recorded, 0);
    value(bench.wait(edge.respond(bench.root())));
    EXPECT_EQ(exchange.answered, R"({"text" : "recorded"})");
    EXPECT_FALSE(exchange.answer.headers.has("idempotency-replayed"));

    HttpEdge replaying(sail, exchange, parameters, {});
    replaying.replay({R"({"text":"again"})"});
    value(bench.wait(replaying.respond(bench.root())));
    EXPECT_EQ(exchange.answer.headers.get("idempotency-replayed"), "true");
}

// Goal: what a request leads to is found once: an endpoint with its parameters, an own page, or why there is nothing.
TEST(Routes, MatchTellsWhereARequestLeads) {
    Metrics metrics;
    const std::vector<std::string> own{"/livez"};
    Routes routes(metrics, own);
    routes.add(sailing());
    const auto match = [&](Method method, std::string target) {
        return routes.match(FakeExchange(method, std::move(target)).head);
    };
    const auto found = match(Method::post, "/ships/a%20b/sail");
    EXPECT_EQ(&found.route.endpoint->info.request->fields, &sail.request->fields);
    ASSERT_EQ(found.parameters.size(), 1U);
    EXPECT_EQ(found.parameters[0].second, "a b");
    EXPECT_EQ(match(Method::post, "/livez").own_page, "/livez");
    EXPECT_EQ(match(Method::get, "/ships/a/sail").refused->kind(), Kind::method_not_allowed);
    EXPECT_EQ(match(Method::get, "/other").refused->kind(), Kind::not_found);
    EXPECT_EQ(match(Method::get, "/other").route.pattern(), "");
    EXPECT_EQ(routes.allowed("/ships/a/sail"), "POST");
    EXPECT_THROW(routes.add(sailing()), std::logic_error);
}

// Goal: an endpoint's own limits replace the defaults, and a body that is too large is known before it is read.
TEST(Limits, EndpointsOwnReplaceTheDefaults) {
    FakeExchange plain(Method::post, "/", "12345");
    EXPECT_TRUE(apply_limits(plain, {}, 10));
    EXPECT_EQ(plain.limit, 10U);
    EXPECT_EQ(plain.time, Duration::zero());
    EXPECT_TRUE(apply_limits(plain, {.body_bytes_max = 20, .timeout = 3s}, 10));
    EXPECT_EQ(plain.limit, 20U);
    EXPECT_EQ(plain.time, Duration(3s));
    EXPECT_EQ(apply_limits(plain, {.body_bytes_max = 4}, 10).error().kind(), Kind::too_large);
}

// Goal: a request counts as active while it is handled, and then under its route, whatever came of it.
TEST(Recording, OutcomeIsCountedUnderItsRoute) {
    Bench bench;
    const HostOptions options;
    RequestRecorder recorder(bench.world(), bench.process(), options);
    Routes routes(bench.process().metrics, {});
    routes.add(sailing());
    FakeExchange exchange(Method::post, "/ships/a/sail");
    const auto matched = routes.match(exchange.head);
    const auto active = [&] { return bench.process().metrics.prometheus_text().contains("active_requests 1"); };
    {
        Recording recording(recorder, bench.root());
        EXPECT_TRUE(active());
        EXPECT_NE(bench.root().time_spent, nullptr);
        recording.end(bench.root(), exchange, matched, 503, Error(Kind::unavailable, "no wind"));
    }
    EXPECT_FALSE(active());
    EXPECT_EQ(bench.root().time_spent, nullptr);
    const auto lines = bench.lines_with("\"request\"");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].at("error"), "no wind");
    EXPECT_EQ(lines[0].at("route"), "/ships/{ship}/sail");
    EXPECT_TRUE(bench.process().metrics.prometheus_text().contains(R"(http_route="/ships/{ship}/sail")"));
}

// Goal: whatever failed becomes a problem; of a bug the caller learns nothing and the log all; where an answer has
// begun the connection ends.
TEST(Refusal, FailureBecomesAProblemOrEndsTheConnection) {
    Bench bench;
    Routes routes(bench.process().metrics, {});
    routes.add(sailing());
    const auto refused = [&](FakeExchange& exchange, Error error, std::optional<Error>& failure) {
        auto matched = routes.match(exchange.head);
        return bench.wait(
            refuse(bench.root(), exchange, routes, matched, std::move(error), bench.process().log, failure));
    };
    std::optional<Error> failure;
    FakeExchange wrong_method(Method::get, "/ships/a/sail");
    EXPECT_EQ(refused(wrong_method, Error(Kind::method_not_allowed, "Method not allowed"), failure), 405);
    EXPECT_EQ(wrong_method.answer.headers.get("allow"), "POST");
    EXPECT_TRUE(failure);

    failure.reset();
    FakeExchange bug(Method::post, "/ships/a/sail");
    EXPECT_EQ(refused(bug, Error(Kind::internal, "secret"), failure), 500);
    EXPECT_FALSE(bug.answered.contains("secret"));
    EXPECT_FALSE(failure) << "it has a line of its own";
    EXPECT_EQ(bench.lines_with("secret").size(), 1U);

    FakeExchange begun(Method::post, "/ships/a/sail");
    begun.has_responded = true;
    EXPECT_EQ(refused(begun, Error(Kind::unavailable, "the peer has gone"), failure), 499);
    EXPECT_TRUE(begun.was_reset);

    FakeExchange asked(Method::options, "/ships/a/sail");
    EXPECT_EQ(bench.wait(answer_options(bench.root(), asked, "POST")), 204);
    EXPECT_EQ(asked.answer.headers.get("allow"), "POST, OPTIONS");
}

/// Counts its calls, and answers from the database.
struct Counting {
    Database& database;
    int calls = 0;

    task<Result<Recorded<Sailed>>> sail(Context& context, Sail request) {
        ++calls;
        co_return co_await database.answer(context,
                                           [=](Transaction&) -> Result<Sailed> { return Sailed{request.ship}; });
    }
};

// Goal: with a key the method runs once, and what it answered is answered again; with another request the key is
// refused.
TEST(IdempotencyKeys, MethodRunsOncePerKey) {
    Bench bench;
    auto database = value(open_database(bench.world(), "sqlite::memory:?bodies=twice", "test"));
    value(bench.wait(database->migrate(bench.root(), "flotilla", framework_migrations())));
    Counting counting{*database};
    auto function = [&counting](Context& context, Sail request) { return counting.sail(context, std::move(request)); };
    detail::TypedEndpoint<Sail, Sailed, decltype(function)> endpoint(sail, function);
    RequestsInFlight in_flight;
    IdempotencyKeys keys(in_flight, bench.process().log);
    keys.use_database(*database);
    const http::PathParameters parameters{{"ship", "Ada"}};
    const auto call = [&](std::string key, std::string body) {
        FakeExchange exchange(Method::post, "/ships/Ada/sail", std::move(body));
        HttpEdge edge(endpoint.info, exchange, parameters, exchange.body);
        auto called = bench.wait(keys.call(bench.root(), endpoint, edge, std::move(key)));
        if (!called) return called.error().code();
        value(bench.wait(edge.respond(bench.root())));
        return exchange.answered;
    };
    EXPECT_EQ(call("k", R"({"knots":1})"), R"({"text":"Ada"})");
    EXPECT_EQ(call("k", R"({"knots":1})"), R"({"text":"Ada"})");
    EXPECT_EQ(counting.calls, 1);
    EXPECT_EQ(call("k", R"({"knots":2})"), "idempotency_key_reused");
    EXPECT_EQ(call("", R"({"knots":2})"), "invalid_idempotency_key");
    EXPECT_EQ(call(std::string(256, 'k'), R"({"knots":2})"), "invalid_idempotency_key");
    const auto entry = in_flight.enter("POST /ships/{ship}/sail\n\nbusy");
    EXPECT_EQ(call("busy", R"({"knots":2})"), "idempotency_key_in_use");
    EXPECT_EQ(counting.calls, 1);
}

/// A service's steps in a world whose loop is behind.
class OverloadedSteps : public testing::Test {
protected:
    OverloadedSteps() {
        steps.routes().add(sailing());
        world.behind = world.in_turn = 30ms;
        for (int i = 0; i < 102; ++i) {
            world.advance(world.at + 1ms);
            for (int each = 0; each <= LoadShedder::kQueueMin; ++each)
                ask(Method::post, "/ships/Ada/sail");
        }
    }

    http::ResponseHead ask(Method method, std::string target, Criticality criticality = Criticality::normal,
                           Duration timeout = 10s) {
        FakeExchange exchange(method, std::move(target), R"({"knots":7})");
        Context context(root, timeout);
        context.criticality = criticality;
        Scope scope(root);
        scope.spawn(steps.handle(context, exchange));
        EXPECT_TRUE(exchange.has_responded);
        return std::move(exchange.answer);
    }
    long lines_with(std::string_view text) const {
        return std::ranges::count_if(lines, [text](const std::string& line) { return line.contains(text); });
    }

    ManualWorld world;
    Context root{world};
    std::vector<std::string> lines;
    Process process{Logger(
        "ship-service", LogLevel::info, Logger::Format::json,
        [this](std::string_view line) { lines.emplace_back(line); }, [this] { return world.now(); })};
    const HostOptions options{.access_log_sample = 1};
    OwnPages own_pages{{"ship-service", "", "0.1.0"}, [] { return HealthReport{.status = "ok"}; }, process.metrics};
    RequestSteps steps{world, process, *process.in_flight, options, own_pages, "0"};
};

// Goal: an overloaded service says so and when to come back, serves what is critical, and never refuses its own pages.
TEST_F(OverloadedSteps, RefuseByCriticalityButNoOwnPages) {
    const auto refused = ask(Method::post, "/ships/Ada/sail");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.headers.get("retry-after"), "1");
    EXPECT_EQ(ask(Method::post, "/ships/Ada/sail", Criticality::sheddable).status, 503);
    EXPECT_EQ(ask(Method::post, "/ships/Ada/sail", Criticality::critical).status, 202);
    for (const auto path : kOwnPagePaths)
        EXPECT_EQ(ask(Method::get, std::string(path), Criticality::sheddable).status, 200) << path;
}

// Goal: what is refused is counted with the other answers and has no line in the log.
TEST_F(OverloadedSteps, RefusalsAreCountedAndNotLogged) {
    const auto before = lines_with("\"request\"");
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(ask(Method::post, "/ships/Ada/sail").status, 503);
    EXPECT_EQ(lines_with("\"request\""), before);
    EXPECT_EQ(lines_with("load shedding began"), 1);
    const auto metrics = process.metrics.prometheus_text();
    const auto at_begin = 1 + LoadShedder::kQueueMin + 1; // the last of the turn in which it began, all of the next one
    EXPECT_TRUE(metrics.contains("flotilla_requests_shed_total{criticality=\"normal\"} " +
                                 std::to_string(100 + at_begin) + "\n"))
        << metrics;
    EXPECT_TRUE(metrics.contains(R"(http_response_status_code="503")")) << metrics;
}

// Goal: a request whose deadline passed while it waited does not reach the method: 504.
TEST_F(OverloadedSteps, LateRequestIsNotBegun) {
    EXPECT_EQ(ask(Method::post, "/ships/Ada/sail", Criticality::critical, 0s).status, 504);
}

// Goal: how long a caller waits is read as RFC 7240 has it, the first one counts, and what is no such thing is nothing.
TEST(RequestPreferences, WaitIsReadWhereverItStands) {
    const auto wait = [](std::initializer_list<std::string_view> fields) {
        http::Headers headers;
        for (const auto field : fields)
            headers.add("Prefer", field);
        return preferences_of(headers).wait_s;
    };
    EXPECT_EQ(wait({"wait=10"}), 10U);
    EXPECT_EQ(wait({"respond-async, WAIT = 7;x=y, wait=3"}), 7U);
    EXPECT_EQ(wait({"return=minimal", "wait=0"}), 0U);
    for (const auto* none : {"wait", "wait=", "wait=-1", "wait=1.5", "wait=99999999999", "waits=5"})
        EXPECT_EQ(wait({none}), std::nullopt) << none;
    EXPECT_EQ(wait({}), std::nullopt);
}

// Goal: nobody waits beyond the time of the request, and a moment is left for the answer.
TEST(RequestPreferences, WaitEndsBeforeTheRequestsTime) {
    ManualWorld world;
    Context everything(world);
    Context context(everything, 3s);
    EXPECT_EQ(preferred_wait(context), std::nullopt);
    Preferences preferences{.wait_s = 2};
    const Carried carried(context, preferences);
    EXPECT_EQ(preferred_wait(context), Duration(2s));
    preferences.wait_s = 60;
    EXPECT_EQ(preferred_wait(context), Duration(2500ms));
}

} // namespace
} // namespace flotilla::steps_test
