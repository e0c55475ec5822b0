// The engine in a host, over HTTP: what a service sees of it, and what people see on its pages.
#include <flotilla/saga/engine.hpp>

#include <gtest/gtest.h>

#include <flotilla/saga/pages.hpp>
#include <flotilla/saga/transition.hpp>
#include <flotilla/service/test_host.hpp>

namespace flotilla::saga::engine_test {
namespace {

using namespace test;
using namespace std::chrono_literals;

struct PaymentId {
    std::string id;
};
struct Payment {
    std::string id;
    std::string state;
};
constexpr ErrorCode payment_declined{"payment_declined", Kind::unprocessable, "The card was declined"};

constexpr Service payments{"payment-service"};
constexpr Endpoint<PaymentId, Payment> reserve{
    payments, Method::post, "/payments", {.success = 201, .idempotent = true, .errors = {payment_declined}}};
constexpr Endpoint<PaymentId, Payment> cancel{payments, Method::put, "/payments/{id}/cancel"};
constexpr Endpoint<PaymentId, Payment> capture{payments, Method::put, "/payments/{id}/capture"};

/// The participant: what it was asked, and what it answers to that.
class Payments {
public:
    task<Result<Recorded<Payment>>> reserve(Context& context, PaymentId request) {
        asked.push_back("reserve");
        co_return co_await database->answer(context,
                                            [error = next_error("reserve"), request](Transaction&) -> Result<Payment> {
                                                if (error) return *error;
                                                return Payment{request.id, "reserved"};
                                            });
    }
    task<Result<Payment>> cancel(Context&, PaymentId request) { co_return answer("cancel", request); }
    task<Result<Payment>> capture(Context& context, PaymentId request) {
        if (gated) co_await must(gate.wait(context));
        co_return answer("capture", request);
    }
    std::vector<std::string> asked;
    std::map<std::string, std::vector<Error>> errors; ///< answered first, in order
    bool gated = false;
    Event gate;
    Database* database = nullptr;

private:
    Result<Payment> answer(const std::string& what, const PaymentId& request) {
        asked.push_back(what);
        if (auto error = next_error(what)) return std::move(*error);
        return Payment{request.id, what};
    }
    std::optional<Error> next_error(const std::string& what) {
        auto& left = errors[what];
        if (left.empty()) return {};
        auto error = left.front();
        left.erase(left.begin());
        return error;
    }
};

struct Buying {
    std::string order;
    std::string seen;
};
PaymentId payment_of(const Buying& buying) { return {buying.order}; }
void keep_payment(Buying& buying, const Payment& payment) { buying.seen += payment.state + " "; }

const StepOptions kQuick{.timeout = 1s, .tries = 2, .undo_tries = 2, .retry_min = 1ms, .retry_max = 5ms};

/// A service that runs sagas.
class Shop {
public:
    explicit Shop(Host& host, int version = 1)
        : database(host.database({}, {})), engine(host.own<Engine>(host, database, host.calls({payments}))),
          sagas(engine.sagas<Buying>("buying")) {
        sagas.define(definition(version)).on_change(&Shop::follow, *this);
    }
    Definition<Buying> definition(int version) {
        return {"buying",
                version,
                {step("reserve", call(engine_test::reserve, &payment_of, &keep_payment))
                     .undone_by(call(engine_test::cancel, &payment_of))
                     .with(kQuick),
                 step("capture", call(engine_test::capture, &payment_of, &keep_payment)).pivot().with(kQuick),
                 step("confirm", local(&Shop::confirm, *this)).with(kQuick)}};
    }
    Result<void> confirm(Transaction&, Buying& buying) {
        buying.seen += "confirmed";
        if (refuse_locally) return Error(Kind::conflict, "not_today", "Not today");
        return {};
    }
    void follow(Transaction&, const Change<Buying>& change) {
        const std::lock_guard lock(mutex);
        followed = std::string(enum_text(change.saga.status)) + " " + change.saga.step;
    }

    Database& database;
    Engine& engine;
    Sagas<Buying>& sagas;
    std::mutex mutex;
    std::string followed; ///< on the writer's thread
    std::atomic<bool> refuse_locally = false;
};

/// The service and its participant, on one loop.
class Both {
public:
    explicit Both(int version = 1)
        : paying(bench,
                 [this](Host& host) {
                     paid.database = &host.database({}, {});
                     host.serve(engine_test::reserve, &Payments::reserve, paid);
                     host.serve(engine_test::cancel, &Payments::cancel, paid);
                     host.serve(engine_test::capture, &Payments::capture, paid);
                 },
                 {.node = {.service = "payment-service"}}),
          shopping(bench, [this, version](Host& host) { shop = &host.own<Shop>(host, version); },
                   {.node = {.service = "shop"}},
                   {{"payment-service", {{.id = "payment-1", .address = paying.address()}}}}) {}

    bool start(const std::string& id) {
        return value(bench.wait(shop->database.transact(
            bench.root(), [this, id](Transaction& tx) { return shop->sagas.start(tx, id, {.order = id}); })));
    }
    Result<void> cancel(const std::string& id) {
        return bench.wait(shop->database.transact(
            bench.root(), [this, id](Transaction& tx) { return shop->sagas.cancel(tx, id, "changed my mind"); }));
    }
    View settled(const std::string& id) {
        return value(bench.wait(shop->sagas.settled(bench.root(), id, Duration(10s))));
    }
    boost::json::value ask(const std::string& path, const std::string& body) {
        return json_of(shopping.post(path, body));
    }

    Bench bench;
    Payments paid;
    Shop* shop = nullptr;
    TestHost paying, shopping;
};

using Strings = std::vector<std::string>;

// Goal: a saga started in a transaction runs to its end; its state has what was answered, the service has followed.
TEST(Engine, RunsASagaToItsEnd) {
    Both both;
    EXPECT_TRUE(both.start("o-1"));
    EXPECT_FALSE(both.start("o-1")) << "there is one of that id";
    const auto saga = both.settled("o-1");
    EXPECT_EQ(saga.status, Status::completed) << saga.reason.value_or("");
    EXPECT_EQ(both.paid.asked, (Strings{"reserve", "capture"}));
    EXPECT_EQ(value(both.bench.wait(both.shop->sagas.state(both.bench.root(), "o-1")))->seen,
              "reserved capture confirmed");
    EXPECT_EQ(both.shop->followed, "COMPLETED ");
    EXPECT_FALSE(value(both.bench.wait(both.shop->sagas.find(both.bench.root(), "o-2"))).has_value());
}

// Goal: what fails is tried again, under one key; behind the pivot the saga is parked then, and goes on by hand.
TEST(Engine, TriesAgainUnderTheSameKey) {
    Both both;
    both.paid.errors["capture"] = std::vector<Error>(20, Error(Kind::internal, "a bug"));
    both.paid.errors["reserve"] = {Error(Kind::internal, "a bug")};
    both.start("o-1");
    const auto saga = both.settled("o-1");
    EXPECT_EQ(saga.status, Status::parked) << "two tries of what is past the pivot, both failed";
    EXPECT_TRUE(saga.reason->starts_with("capture: ")) << *saga.reason;
    EXPECT_EQ(value(both.bench.wait(
                  both.paid.database->select<std::string>(both.bench.root(), "SELECT key FROM flotilla_idempotency"))),
              Strings{"o-1/reserve"});
    both.paid.errors.clear();
    EXPECT_EQ(both.ask("/sagaz/retry", R"({"ids":["o-1"]})").at("asked").as_int64(), 1);
    EXPECT_TRUE(both.bench.eventually([&] { return both.settled("o-1").status == Status::completed; }));
}

// Goal: a refusal has the steps before it undone, which the log says with saga and step; nothing of it is called again.
TEST(Engine, CompensatesWhatWasDoneBeforeARefusal) {
    Both both;
    both.paid.errors["capture"] = {payment_declined};
    both.start("o-1");
    const auto saga = both.settled("o-1");
    EXPECT_EQ(saga.status, Status::compensated);
    EXPECT_EQ(saga.reason, "capture was refused: payment_declined: The card was declined");
    EXPECT_EQ(both.paid.asked, (Strings{"reserve", "capture", "cancel"}));
    EXPECT_EQ(saga.state_of("reserve"), StepState::undone);
    EXPECT_EQ(saga.state_of("capture"), StepState::refused);
    const auto lines = both.bench.lines_with("Saga failed, executing compensations");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].at("id"), "o-1");
    EXPECT_EQ(lines[0].at("step"), "capture");
}

// Goal: a first step that is refused leaves nothing to undo.
TEST(Engine, RefusedFirstStepIsNotUndone) {
    Both both;
    both.paid.errors["reserve"] = {payment_declined};
    both.start("o-1");
    EXPECT_EQ(both.settled("o-1").status, Status::compensated);
    EXPECT_EQ(both.paid.asked, (Strings{"reserve"}));
}

// Goal: a local step that fails leaves nothing of it behind, and what came before it in the same transition stays.
TEST(Engine, RefusedLocalStepParksBehindThePivot) {
    Both both;
    both.shop->refuse_locally = true;
    both.start("o-1");
    const auto saga = both.settled("o-1");
    EXPECT_EQ(saga.status, Status::parked);
    EXPECT_EQ(saga.reason, "confirm was refused: not_today: Not today");
    EXPECT_EQ(saga.state_of("capture"), StepState::done);
    EXPECT_EQ(value(both.bench.wait(both.shop->sagas.state(both.bench.root(), "o-1")))->seen, "reserved capture ");
    both.shop->refuse_locally = false;
    EXPECT_EQ(both.ask("/sagaz/retry", R"({"parked":true})").at("asked").as_int64(), 1);
    EXPECT_TRUE(both.bench.eventually([&] { return both.settled("o-1").status == Status::completed; }));
}

// Goal: a cancellation compensates what is before the pivot, and is refused behind it, with an error to map.
TEST(Engine, CancelsBeforeThePivotOnly) {
    Both both;
    both.paid.gated = true;
    both.start("o-1");
    EXPECT_TRUE(both.bench.eventually(
        [&] { return value(both.bench.wait(both.shop->sagas.find(both.bench.root(), "o-1")))->step == "capture"; }));
    const auto refused = both.cancel("o-1");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), "saga_past_pivot");
    both.paid.gate.notify();
    EXPECT_EQ(both.settled("o-1").status, Status::completed);
    EXPECT_EQ(both.cancel("o-3").error().code(), "saga_not_found");

    both.paid.errors["reserve"] = {Error(Kind::unavailable, "down"), Error(Kind::unavailable, "down")};
    value(both.bench.wait(both.shop->database.transact(both.bench.root(), [&](Transaction& tx) -> Result<void> {
        both.shop->sagas.start(tx, "o-2", {.order = "o-2"});
        return both.shop->sagas.cancel(tx, "o-2", "changed my mind");
    })));
    const auto saga = both.settled("o-2");
    EXPECT_EQ(saga.status, Status::compensated);
    EXPECT_EQ(saga.reason, "changed my mind");
}

// Goal: who waits is answered when the time is over, and at once when the step it waits for is reached.
TEST(Engine, WaitsNoLongerThanAsked) {
    Both both;
    both.paid.gated = true;
    both.start("o-1");
    const auto reserved = value(both.bench.wait(both.shop->sagas.until(
        both.bench.root(), "o-1", [](const View& saga) { return saga.state_of("reserve") == StepState::done; },
        Duration(10s))));
    EXPECT_EQ(reserved.step, "capture");
    EXPECT_EQ(value(both.bench.wait(both.shop->sagas.settled(both.bench.root(), "o-1", Duration(1ms)))).status,
              Status::running);
    EXPECT_EQ(both.bench.wait(both.shop->sagas.settled(both.bench.root(), "o-9", Duration(1ms))).error().code(),
              "saga_not_found");
    both.paid.gate.notify();
    EXPECT_EQ(both.settled("o-1").status, Status::completed);
}

// Goal: the pages list by status, page by page, show the history, and say what they do not know.
TEST(Engine, PagesShowAndAsk) {
    Both both;
    for (int i = 0; i < 3; ++i) {
        both.paid.errors["capture"] = {payment_declined};
        both.paid.errors["cancel"] = {payment_declined};
        both.start("o-" + std::to_string(i));
        EXPECT_EQ(both.settled("o-" + std::to_string(i)).status, Status::parked);
    }
    auto page = json_of(both.shopping.get("/sagaz?status=PARKED&limit=2"));
    EXPECT_EQ(page.at("sagas").as_array().size(), 2U);
    page = json_of(both.shopping.get("/sagaz?limit=2&after=" + std::string(page.at("next").as_string())));
    ASSERT_EQ(page.at("sagas").as_array().size(), 1U);
    EXPECT_EQ(page.at("sagas").at(0).at("id"), "o-2");
    EXPECT_FALSE(page.as_object().contains("next"));
    EXPECT_EQ(json_of(both.shopping.get("/sagaz?status=COMPLETED")).at("sagas").as_array().size(), 0U);
    EXPECT_EQ(json_of(both.shopping.get("/sagaz?stuck=true")).at("sagas").as_array().size(), 0U);

    const auto shown = json_of(both.shopping.get("/sagaz/show?id=o-1"));
    EXPECT_EQ(shown.at("state").at("order"), "o-1");
    Strings events;
    for (const auto& entry : shown.at("history").as_array())
        events.emplace_back(entry.at("event").as_string());
    EXPECT_EQ(events, (Strings{"started", "done", "refused", "compensating", "refused", "parked"}));

    const auto asked = both.ask("/sagaz/skip", R"({"ids":["o-0","o-7"],"reason":"paid back by hand"})");
    EXPECT_EQ(asked.at("asked").as_int64(), 1);
    EXPECT_EQ(asked.at("unknown").at(0), "o-7");
    EXPECT_TRUE(both.bench.eventually([&] { return both.settled("o-0").status == Status::compensated; }));
    EXPECT_EQ(both.ask("/sagaz/abort", R"({"ids":["o-1"]})").at("refused").at(0), "o-1") << "it is undone already";
    EXPECT_EQ(both.ask("/sagaz/retry", R"({"parked":true})").at("asked").as_int64(), 2);
    EXPECT_TRUE(both.bench.eventually([&] { return both.settled("o-2").status == Status::compensated; }));
    EXPECT_EQ(both.shopping.get("/sagaz/show?id=o-9").status(), 404);
    EXPECT_EQ(both.shopping.get("/sagaz?limit=0").status(), 400);
    EXPECT_EQ(both.shopping.get("/sagaz/retry").status(), 405);
    EXPECT_EQ(both.shopping.send("POST", "/sagaz/retry", "{}", {{"content-type", "text/plain"}}).status(), 415);
}

// Goal: a program without the version that a saga runs under says so before it takes over, beside the one that runs;
// one that takes over nevertheless parks that saga with the reason, and starts others.
TEST(Engine, MissingHandlersAreFoundBefore) {
    Both both;
    both.paid.gated = true;
    both.start("o-1");
    EXPECT_TRUE(both.bench.eventually(
        [&] { return value(both.bench.wait(both.shop->sagas.find(both.bench.root(), "o-1")))->step == "capture"; }));
    auto options = both.shopping.options();
    options.node.registry = "none";
    const auto check = [&](int version) {
        Process process(Logger("check", LogLevel::error, Logger::Format::json, [](std::string_view) {}));
        return value(
            both.bench.wait(ServiceNode::check_upgrade(both.bench.root(), both.bench.world(), process, options,
                                                       [version](Host& host) { host.own<Shop>(host, version); })));
    };
    EXPECT_EQ(check(1), Strings());
    EXPECT_EQ(check(2), Strings{"buying o-1 at capture: this program has no buying version 1"});
    both.paid.gate.notify();
    EXPECT_EQ(both.settled("o-1").status, Status::completed);
    EXPECT_EQ(check(2), Strings()) << "what has ended needs no handler";
}

// Goal: what cannot work is refused while the service is installed.
TEST(Definition, RefusesWhatCannotWork) {
    const auto act = call(reserve, &payment_of);
    using Plan = Definition<Buying>;
    EXPECT_THROW((Plan{"Buying", 1, {step("a", act)}}), std::logic_error);
    EXPECT_THROW((Plan{"buying", 0, {step("a", act)}}), std::logic_error);
    EXPECT_THROW((Plan{"buying", 1, {}}), std::logic_error);
    EXPECT_THROW((Plan{"buying", 1, {step("a", act), step("a", act)}}), std::logic_error);
    EXPECT_THROW((Plan{"buying", 1, {step("a", act).pivot(), step("b", act).pivot()}}), std::logic_error);
    EXPECT_THROW((Plan{"buying", 1, {step("a", act).pivot(), step("b", act).undone_by(act)}}), std::logic_error);
    static constexpr Endpoint<PaymentId, Payment> once{payments, Method::post, "/once"};
    EXPECT_THROW((call(once, &payment_of)), std::logic_error);
}

// Goal: only an answer that says that nothing was done, and nothing will be, refuses a step.
TEST(Transition, TellsRefusalsFromTheUnknown) {
    for (const auto kind : {Kind::invalid, Kind::not_found, Kind::conflict, Kind::unprocessable, Kind::forbidden})
        EXPECT_TRUE(is_refusal(Error(kind, "no"))) << name(kind);
    for (const auto kind : {Kind::exhausted, Kind::cancelled, Kind::internal, Kind::bad_gateway, Kind::unavailable,
                            Kind::deadline_exceeded})
        EXPECT_FALSE(is_refusal(Error(kind, "who knows"))) << name(kind);
    EXPECT_FALSE(is_refusal(Error(Kind::conflict, "idempotency_key_in_use", "it is under way")));
    EXPECT_FALSE(is_refusal(Error(Kind::unprocessable, "not yet").with_retry_after(std::chrono::seconds(1))));
}

} // namespace
} // namespace flotilla::saga::engine_test
