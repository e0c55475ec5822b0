// A process that drives sagas, killed at any point: nothing that was acknowledged is lost, and effects balance.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/saga/test_shop.hpp>

namespace flotilla::saga::kill_test {
namespace {

using namespace saga::test;

constexpr int kRounds = 12;
constexpr int kSagas = 25; ///< in each round

Definition<Checkout> quick() {
    const StepOptions patient{.timeout = 2s, .tries = 50, .undo_tries = 50, .retry_min = 1ms, .retry_max = 5ms};
    return {"checkout",
            1,
            {step("payment.reserve", call(kReserve, &order_of)).undone_by(call(kCancel, &order_of)).with(patient),
             step("inventory.reserve", call(kHold, &order_of)).undone_by(call(kRelease, &order_of)).with(patient),
             step("payment.capture", call(kCapture, &order_of)).pivot().with(patient),
             step("confirm", local(&confirm)).with(patient)}};
}

/// Participants whose effects are lines of a file: they survive a killed process, as another service's would.
class Ledger {
public:
    explicit Ledger(const std::string& file)
        : output_(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
        std::ifstream lines(file);
        for (std::string command, order; lines >> command >> order;)
            note(command, order);
    }
    ~Ledger() { ::close(output_); }
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;

    /// Every fifth order is refused at its second step, every seventh at its pivot.
    Result<void> arrive(const std::string& command, const std::string& order) {
        auto& state = states[command.substr(0, command.find('.')) + " " + order];
        const auto number = std::hash<std::string>()(order);
        if (state == 'u') {
            if (command.ends_with("/undo")) return {};
            return Error(Kind::conflict, "cancelled", "a late command");
        }
        if (command == "inventory.reserve" && number % 5 == 0)
            return Error(Kind::conflict, "out_of_stock", "none left");
        if (command == "payment.capture" && number % 7 == 0) return Error(Kind::conflict, "declined", "no money");
        const auto line = command + " " + order + "\n";
        if (::write(output_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(4);
        note(command, order);
        return {};
    }
    std::map<std::string, char> states; ///< d: done, c: captured, u: undone

private:
    void note(const std::string& command, const std::string& order) {
        states[command.substr(0, command.find('.')) + " " + order] = command.ends_with("/undo")     ? 'u'
                                                                     : command == "payment.capture" ? 'c'
                                                                                                    : 'd';
    }
    int output_;
};

task<Result<std::string>> take(Context& context, Ledger& ledger, std::string command, std::string order) {
    if (std::hash<std::string>()(command + order) % 3 == 0) co_await must(sleep_for(context, 1ms));
    co_await must(ledger.arrive(command, order));
    co_return json::write(Answer{});
}

/// Drives what is there and starts more, and says which it has started, a line each.
task<void> work(Context& context, Database& database, int output, int round) {
    for (int i = 0; i < kSagas; ++i) {
        const auto id = std::to_string(round) + "-" + std::to_string(i);
        const auto started = co_await database.transact(context, [id, plan = quick().plan()](Transaction& tx) {
            Instance saga{
                .id = id, .definition = plan->name, .definition_version = 1, .state = json::write(Checkout{id})};
            Transition transition(*plan, saga, tx.now(), 0);
            transition.begin();
            return table::insert(tx, saga, transition.notes);
        });
        if (!started) ::_exit(3);
        const auto line = id + "\n";
        if (::write(output, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(4);
        std::ignore = co_await sleep_for(context, 1ms);
    }
}

/// Until all have ended.
task<void> finish(Context& context, Database& database, DatabaseWork& driven) {
    Context working(context);
    Scope scope(working);
    scope.spawn(driven.run(scope.context()));
    while (want(co_await database.find<std::int64_t>(
               context, "SELECT count(*) FROM flotilla_sagas WHERE finished_at IS NULL")) != 0) {
        std::ignore = co_await sleep_for(context, 2ms);
    }
    scope.cancel(Error(Kind::unavailable, "shutting down"));
    co_await scope.join();
}

void run_program(const std::string& folder, int output, int round, bool to_the_end) {
    Loop loop;
    Context root(loop.world());
    auto database = want(open_database(loop.world(), "sqlite:" + folder + "/shop.db", "shop"));
    want(loop.run_until_done(database->migrate(root, "flotilla", framework_migrations())));
    want(loop.run_until_done(database->migrate(root, kComponent, migrations())));
    want(loop.run_until_done(database->migrate(root, "service", kOwnMigrations)));
    auto bus = want(open_bus(loop.world(), "memory:kill"));
    Ledger ledger(folder + "/ledger");
    Telemetry telemetry(Logger("shop", LogLevel::error, Logger::Format::json, [](std::string_view) {}));
    auto family =
        std::make_shared<detail::Family>(detail::Family{.name = "checkout", .state = &descriptor_of<Checkout>});
    family->versions.emplace(1, quick().plan());
    DatabaseDuties duties;
    duties.parts.push_back({"the sagas", "sagas", [&](Tenure& tenure) {
                                const Caller caller = [&](Context& context, const EndpointInfo& endpoint,
                                                          const void* request, RepeatedCall& repeated) {
                                    repeated.sent = 1;
                                    return take(context, ledger, std::string(endpoint.path.substr(1)),
                                                static_cast<const Order*>(request)->id);
                                };
                                return std::make_unique<Driver>(loop.world(), tenure, Families{{"checkout", family}},
                                                                caller, telemetry, DriverOptions{});
                            }});
    DatabaseWork driven(loop.world(), *database, *bus, telemetry, {.service = "shop", .instance = "shop-1"},
                        std::move(duties));
    if (to_the_end) return loop.run_until_done(finish(root, *database, driven));
    const auto both = [&]() -> task<void> {
        Scope scope(root);
        scope.spawn(driven.run(scope.context()));
        scope.spawn(work(scope.context(), *database, output, round));
        co_await scope.join();
    };
    loop.run_until_done(both());
}

// Goal: kill -9 of the program that drives sagas, again and again: each that was acknowledged ends, once, and what the
// participants have done fits how it ended.
TEST(Sagas, SurviveTheirProgramBeingKilled) {
    std::string folder = (std::filesystem::temp_directory_path() / "flotilla-saga-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    std::mt19937 random(20260131);
    std::set<std::string> acknowledged;
    for (int round = 0; round < kRounds; ++round) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(ends[0]);
            run_program(folder, ends[1], round, false);
            ::_exit(5);
        }
        ::close(ends[1]);
        const auto most = 1 + random() % kSagas;
        std::string text;
        std::array<char, 512> buffer{};
        bool killed = false;
        for (ssize_t size = 0; (size = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
            text.append(buffer.data(), static_cast<std::size_t>(size));
            const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
            if (!killed && lines >= most) killed = ::kill(child, SIGKILL) == 0;
        }
        ::close(ends[0]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << status;
        std::istringstream lines(text);
        for (std::string id; lines >> id;)
            acknowledged.insert(id);
    }
    const pid_t child = ::fork(); // nothing of a thread stays here
    if (child == 0) {
        run_program(folder, -1, 0, true);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;

    Loop loop;
    Context root(loop.world());
    const auto database = want(open_database(loop.world(), "sqlite:" + folder + "/shop.db", "shop"));
    const Ledger ledger(folder + "/ledger");
    const auto state_of = [&](const std::string& what) {
        const auto found = ledger.states.find(what);
        return found == ledger.states.end() ? '-' : found->second;
    };
    int completed = 0;
    for (const auto& id : acknowledged) {
        const auto saga = want(loop.run_until_done(table::load(root, *database, id)));
        ASSERT_TRUE(saga) << id << " was acknowledged";
        const auto confirmed = want(loop.run_until_done(
            database->find<std::int64_t>(root, "SELECT count(*) FROM confirmed WHERE id = $1", id)));
        const bool done = saga->status == Status::completed;
        completed += done ? 1 : 0;
        EXPECT_EQ(confirmed, done ? 1 : 0) << id;
        EXPECT_EQ(state_of("payment " + id), done ? 'c' : 'u') << id << " " << enum_text(saga->status);
        if (done) EXPECT_EQ(state_of("inventory " + id), 'd') << id;
        if (!done) EXPECT_NE(state_of("inventory " + id), 'd') << id;
    }
    EXPECT_GT(completed, 0);
    EXPECT_LT(completed, static_cast<int>(acknowledged.size()));
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace flotilla::saga::kill_test
