#pragma once

// Part of the tests of saga/.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/scope.hpp>
#include <flotilla/bus/outbox.hpp>
#include <flotilla/node/health.hpp>
#include <flotilla/saga/driver.hpp>
#include <flotilla/saga/saga_table.hpp>
#include <flotilla/saga/tables.hpp>
#include <flotilla/service/database_work.hpp>
#include <flotilla/service/test_simulation.hpp>
#include <flotilla/store/framework_tables.hpp>

/// A shop in a simulation: participants that keep what they did, a network and a bus that lose, delay, double and
/// reorder, and hosts that are paused and killed. For tests only.
namespace flotilla::saga::test {

using namespace flotilla::test;
using namespace std::chrono_literals;

/// FLOTILLA_WITHOUT=tombstones or =deduplication: the tests turn red, by hand.
inline bool is_without(std::string_view what) {
    const char* without = std::getenv("FLOTILLA_WITHOUT");
    return without != nullptr && without == what;
}

template <class T>
T want(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().code() + ": " + result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Checkout {
    std::string order;
    int kept = 0; ///< answers
};
struct Order {
    std::string id;
};
struct Answer {
    int number = 1;
};

inline constexpr Service kShop{"shop"};
#define ENDPOINT(name, path)                                                                                           \
    inline constexpr Endpoint<Order, Answer> name {                                                                    \
        kShop, Method::post, path, { .idempotent = true }                                                              \
    }
ENDPOINT(kReserve, "/payment.reserve");
ENDPOINT(kCancel, "/payment.reserve/undo");
ENDPOINT(kHold, "/inventory.reserve");
ENDPOINT(kRelease, "/inventory.reserve/undo");
ENDPOINT(kCapture, "/payment.capture");
ENDPOINT(kCommit, "/inventory.commit");
#undef ENDPOINT
inline constexpr std::string_view kCommands = "shipping.commands", kReplies = "shipping.replies";

inline constexpr std::string_view kOwnTables = R"sql(
CREATE TABLE confirmed (position BIGINT NOT NULL PRIMARY KEY, id TEXT NOT NULL);
CREATE TABLE followed (id TEXT NOT NULL PRIMARY KEY, status TEXT NOT NULL);
)sql";
inline constexpr std::array kOwnMigrations{Migration{1, "0001_own", kOwnTables}};

inline Order order_of(const Checkout& checkout) { return {checkout.order}; }
inline void keep(Checkout& checkout, const Answer& answer) { checkout.kept += answer.number; }
inline Result<void> confirm(Transaction& tx, Checkout& checkout) {
    static constexpr Statement<std::string> kConfirm{"INSERT INTO confirmed (id) VALUES ($1)"};
    tx.execute(kConfirm, checkout.order);
    return {};
}

inline std::shared_ptr<const detail::Act> shipping_act() {
    auto act = std::make_shared<detail::Act>();
    act->travel = Travel::event;
    act->publish = [](Transaction& tx, std::string_view state, const detail::Correlation& to) -> Result<void> {
        const auto checkout = want(json::parse<Checkout>(state));
        publish_event(
            tx, kCommands, 0, checkout.order,
            json::write(Command<Order>{std::string(to.saga), std::string(to.step), to.undo, {checkout.order}}));
        return {};
    };
    return act;
}

inline Definition<Checkout> checkout_of(int version, DefinitionOptions options = {.timeout = 30s}, int tries = 3) {
    const StepOptions patient{.timeout = 1s, .tries = tries, .undo_tries = 6, .retry_min = 50ms, .retry_max = 1s};
    const Action<Checkout> ship{shipping_act()};
    return {
        "checkout",
        version,
        {step("payment.reserve", call(kReserve, &order_of, &keep)).undone_by(call(kCancel, &order_of)).with(patient),
         step("inventory.reserve", call(kHold, &order_of, &keep)).undone_by(call(kRelease, &order_of)).with(patient),
         step("shipping.schedule", ship).undone_by(ship).with(patient),
         step("payment.capture", call(kCapture, &order_of, &keep)).pivot().with(patient),
         step("inventory.commit", call(kCommit, &order_of, &keep)).with(patient),
         step("confirm", local(&confirm)).with(patient)},
        options};
}

/// What the network and the participants do wrong, in percent.
struct Faults {
    unsigned lost = 15, late = 15, reply_lost = 15, refused = 5, twice = 15, early = 10;
    bool tombstones = true;
};

/// Payment, inventory and shipping: each keeps one state per order and answers by it.
class Participants {
public:
    Participants(Simulation& simulation, Faults faults) : simulation_(simulation), faults_(faults) {}

    enum class State : unsigned char { none, done, committed, undone };
    /// By participant and order.
    std::map<std::pair<std::string, std::string>, State> states;
    std::vector<std::string> wrong;                              ///< what must never happen
    std::map<std::string, std::vector<std::string>> carried_out; ///< by order, in order of arrival

    void set(Faults faults) { faults_ = faults; }
    const Faults& faults() const { return faults_; }

    /// A command arrives: at "payment.reserve/undo", say. One try that arrives twice is refused twice.
    Result<void> arrive(std::string command, const std::string& order, std::uint64_t attempt) {
        const auto participant = command.substr(0, command.find('.'));
        auto& state = states[{participant, order}];
        carried_out[order].push_back(command);
        if (command.ends_with("/undo")) {
            if (participant == "inventory" && state == State::committed) wrong.push_back(command + " of " + order);
            if (state != State::none || faults_.tombstones) state = State::undone;
            return {};
        }
        const bool second = command == "payment.capture" || command == "inventory.commit";
        if (state == State::undone) return Error(Kind::conflict, participant + "_cancelled", "a late command");
        if (state == State::committed || (!second && state == State::done)) return {};
        if (second && state == State::none) {
            wrong.push_back(command + " without its first half of " + order);
            return Error(Kind::conflict, "nothing_there", "there is nothing to commit");
        }
        // For now: a try that comes later may be taken.
        if (!(command == "inventory.commit") && simulation_.chance(faults_.refused)) refused_.insert(attempt);
        if (refused_.contains(attempt)) return Error(Kind::conflict, "refused", "not now");
        state = second ? State::committed : State::done;
        return {};
    }

    std::uint64_t next_try() { return ++tries_; }

private:
    Simulation& simulation_;
    Faults faults_;
    std::uint64_t tries_ = 0;
    std::set<std::uint64_t> refused_; ///< tries
};

/// All that hosts share.
struct Shop {
    explicit Shop(std::uint64_t number, Faults faults = {})
        : seed(number), simulation(number), participants(simulation, without(faults)),
          url("sqlite::memory:sagas-" + std::to_string(number) + (number % 3 == 0 ? "?bodies=twice" : "")) {
        database = want(open_database(keeper, url, "shop"));
        want(keeper.finish(migrate()));
        network = std::make_unique<Scope>(outside);
    }
    ~Shop() { network.reset(); }
    static Faults without(Faults faults) {
        faults.tombstones = faults.tombstones && !is_without("tombstones");
        return faults;
    }
    task<Result<void>> migrate() {
        Context context(keeper);
        co_await must(database->migrate(context, "flotilla", framework_migrations()));
        co_await must(database->migrate(context, kComponent, migrations()));
        co_await must(database->migrate(context, "service", kOwnMigrations));
        co_return Result<void>();
    }
    template <class Body>
    auto write(Body body) {
        Context context(keeper);
        return keeper.finish(database->transact(context, std::move(body)));
    }
    template <class T>
    std::vector<T> read(std::string_view sql) {
        Context context(keeper);
        return want(keeper.finish(database->select<T>(context, sql)));
    }
    Instance saga(const std::string& id) {
        Context context(keeper);
        return want(keeper.finish(table::load(context, *database, id))).value();
    }
    std::vector<HistoryEntry> history(const std::string& id) {
        Context context(keeper);
        return want(keeper.finish(table::history(context, *database, id)));
    }
    void note(std::string event, const std::string& step, const std::string& order) {
        sent[order].emplace_back(std::move(event), step);
    }

    const std::uint64_t seed;
    Simulation simulation;
    SimulatedWorld keeper{simulation, 0s}; ///< of requests, and of the participants
    Participants participants;
    std::string url;
    std::unique_ptr<Database> database;
    SimulatedBroker broker;
    Context outside{keeper};
    std::unique_ptr<Scope> network;
    std::map<std::string, std::vector<std::pair<std::string, std::string>>> sent; ///< by order: do or undo, step
    std::set<std::string> cancelled;                                              ///< whose cancellation was taken
    std::uint64_t refused_writes = 0;
};

/// Calls that go through a network without manners.
class Network {
public:
    explicit Network(Shop& shop) : shop_(shop) {}

    task<Result<std::string>> call(Context& context, EndpointInfo endpoint, std::string order, RepeatedCall& repeated) {
        auto& dice = shop_.simulation;
        const auto command = std::string(endpoint.path.substr(1));
        const bool undo = command.ends_with("/undo");
        shop_.note(undo ? "undo" : "do", command.substr(0, command.find('/')), order);
        const auto faults = shop_.participants.faults();
        if (dice.chance(5)) co_return Error(Kind::unavailable, "no_instance", "nobody is there");
        repeated.sent = 1;
        const auto attempt = shop_.participants.next_try();
        if (dice.chance(faults.twice)) shop_.network->spawn(later(shop_, command, order, attempt, 3s));
        if (dice.chance(faults.lost) || dice.chance(faults.late)) {
            if (dice.chance(50)) shop_.network->spawn(later(shop_, command, order, attempt, 4s));
            co_await must(sleep_for(context, 10s)); // the time is over first
        }
        co_await must(sleep_for(context, dice.up_to(100ms)));
        auto done = shop_.participants.arrive(command, order, attempt);
        co_await must(sleep_for(context, dice.up_to(100ms)));
        if (dice.chance(faults.reply_lost)) co_return Error(Kind::bad_gateway, "response_cut", "half an answer");
        if (!done) co_return std::move(done.error());
        co_return json::write(Answer{});
    }

private:
    /// Of the network, which stays where a host goes.
    static task<void> later(Shop& shop, std::string command, std::string order, std::uint64_t attempt, Duration most) {
        if (const auto slept = co_await sleep_for(shop.network->context(), shop.simulation.up_to(most)); !slept)
            co_return;
        std::ignore = shop.participants.arrive(command, order, attempt); // nobody hears the answer
    }

    Shop& shop_;
};

/// The shipping service: hears commands from the bus, late, twice and out of turn, and replies.
class Shipping {
public:
    explicit Shipping(Shop& shop) : shop_(shop) {}

    /// Takes up what has come since it last looked.
    void look() {
        const auto& accepted = shop_.broker.accepted({std::string(kCommands), 0});
        for (; seen_ < accepted.size(); ++seen_) {
            const auto command = want(json::parse<Command<Order>>(accepted[seen_].payload));
            if (!heard_.insert(accepted[seen_].id).second) continue; // its inbox
            shop_.note(command.undo ? "undo" : "do", command.step, command.saga);
            const auto& faults = shop_.participants.faults();
            const auto attempt = shop_.participants.next_try();
            if (shop_.simulation.chance(faults.twice)) shop_.network->spawn(take(command, attempt, 3s));
            shop_.network->spawn(
                take(command, attempt, shop_.simulation.chance(faults.late) ? Duration(4s) : Duration(200ms)));
        }
    }
    /// It has happened to do it before it was told to.
    void anticipate(const std::string& order) {
        if (!shop_.simulation.chance(shop_.participants.faults().early)) return;
        shop_.note("do", "shipping.schedule", order);
        const auto attempt = shop_.participants.next_try();
        std::ignore = shop_.participants.arrive("shipping.schedule", order, attempt);
        shop_.network->spawn(take({order, "shipping.schedule", false, {order}}, attempt, 300ms)); // and replies
    }

private:
    task<void> take(Command<Order> command, std::uint64_t attempt, Duration most) {
        if (const auto slept = co_await sleep_for(shop_.network->context(), shop_.simulation.up_to(most)); !slept)
            co_return;
        const auto done =
            shop_.participants.arrive(command.step + (command.undo ? "/undo" : ""), command.saga, attempt);
        const auto reply = done ? saga::done(command) : saga::refused(command, done.error());
        const auto times = shop_.simulation.chance(shop_.participants.faults().twice) ? 2 : 1;
        for (int i = 0; i < times; ++i) {
            if (shop_.simulation.chance(shop_.participants.faults().reply_lost)) continue;
            shop_.broker.accept({.topic = std::string(kReplies),
                                 .key = command.saga,
                                 .sequence = ++replies_,
                                 .id = std::to_string(replies_),
                                 .producer = "shipping",
                                 .payload = json::write(reply)});
        }
    }

    Shop& shop_;
    std::size_t seen_ = 0;
    std::set<std::string> heard_;
    std::uint64_t replies_ = 0;
};

/// A host of the shop.
class SagaHost {
public:
    SagaHost(Shop& shop, std::string name, std::vector<Definition<Checkout>> versions = {checkout_of(1)})
        : shop_(shop), world_(shop.simulation, shop.simulation.up_to(2s) - 1s),
          database_(want(open_database(world_, shop.url, "shop"))), bus_(shop.simulation, world_, shop.broker),
          network_(shop), telemetry_(log_of(name)), families_(families_of(versions)),
          work_(std::make_unique<DatabaseWork>(
              world_, *database_, bus_, telemetry_,
              DatabaseWork::Options{.service = "shop", .instance = name, .lag_max = 600s}, duties())),
          scope_(std::make_unique<Scope>(root_)) {
        scope_->spawn(work_->run(scope_->context()));
    }
    ~SagaHost() {
        shop_.refused_writes +=
            telemetry_.metrics.counter("flotilla_role_refused_writes_total", "", {{"role", "database"}}).value();
        scope_.reset(); // in the middle of what it does
    }
    bool held() const { return work_->role().held(); }
    bool paused() const { return world_.paused; }
    void pause(bool paused) { world_.paused = paused; }
    void stop() {
        scope_->cancel(Error(Kind::unavailable, "shutting down"));
        while (scope_->running() > 0)
            ASSERT_TRUE(shop_.simulation.step(Instant::max()));
    }
    HealthReport ready() const {
        HealthChecks checks;
        work_->add_checks(checks);
        return checks.report(false);
    }
    std::vector<std::string> lines;

private:
    Logger log_of(const std::string& name) {
        const bool alone = std::getenv("FLOTILLA_SEED") != nullptr;
        return Logger(
            name, LogLevel::info, Logger::Format::json,
            [this, alone](std::string_view line) {
                if (alone) std::fwrite(line.data(), 1, line.size(), stderr);
                lines.emplace_back(line);
            },
            [this] { return world_.now(); });
    }
    static Families families_of(const std::vector<Definition<Checkout>>& versions) {
        auto family =
            std::make_shared<detail::Family>(detail::Family{.name = "checkout", .state = &descriptor_of<Checkout>});
        for (const auto& version : versions)
            family->versions.emplace(version.plan()->version, version.plan());
        family->hook = [](Transaction& tx, const View& saga, std::string_view, const Error*) -> Result<void> {
            static constexpr Statement<std::string, Status> kFollow{
                "INSERT INTO followed (id, status) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET status = "
                "excluded.status"};
            tx.execute(kFollow, saga.id, saga.status);
            return {};
        };
        return {{"checkout", family}};
    }
    DatabaseDuties duties() {
        DatabaseDuties duties;
        duties.subscribe("shop", {TopicUse::Action::receive, kReplies, 1, nullptr, false},
                         [](Transaction& tx, const Message& message) -> Result<void> {
                             const auto reply = want(json::parse<Reply>(message.payload));
                             if (is_without("deduplication")) {
                                 static constexpr Statement<std::string, std::string, bool, std::string> kTaken{
                                     "INSERT INTO flotilla_saga_replies (saga, step, undo, reply, received_at) SELECT "
                                     "id, step, $3, $4, 0 FROM flotilla_sagas WHERE id = $1 AND $2 <> '' ON CONFLICT "
                                     "DO NOTHING"};
                                 tx.execute(kTaken, reply.saga, reply.step, reply.undo, message.payload);
                             }
                             table::keep_reply(tx, reply);
                             return {};
                         });
        duties.parts.push_back({"the sagas", "sagas", [this](Tenure& tenure) {
                                    const Caller caller = [this](Context& context, const EndpointInfo& endpoint,
                                                                 const void* request, RepeatedCall& repeated) {
                                        return network_.call(context, endpoint, static_cast<const Order*>(request)->id,
                                                             repeated);
                                    };
                                    return std::make_unique<Driver>(world_, tenure, families_, caller, telemetry_,
                                                                    DriverOptions{.concurrency = 8});
                                }});
        return duties;
    }

    Shop& shop_;
    SimulatedWorld world_;
    std::unique_ptr<Database> database_;
    SimulatedBus bus_;
    Network network_;
    Telemetry telemetry_;
    Families families_;
    std::unique_ptr<DatabaseWork> work_;
    Context root_{world_};
    std::unique_ptr<Scope> scope_;
};

/// Starts a saga in a transaction of the service's.
inline bool start(Shop& shop, const std::string& id, const Definition<Checkout>& definition = checkout_of(1)) {
    return want(shop.write([id, plan = definition.plan()](Transaction& tx) {
        Instance saga{.id = id,
                      .definition = plan->name,
                      .definition_version = plan->version,
                      .state = json::write(Checkout{id})};
        Transition transition(*plan, saga, tx.now(), 0);
        transition.begin();
        return table::insert(tx, saga, transition.notes);
    }));
}

} // namespace flotilla::saga::test
