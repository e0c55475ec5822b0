// The process measured by the benchmark `saga`: sagas of three steps whose participants answer at once, so many at a
// time. Prints "<steps per second> <CPU µs per step> <p50 µs of a saga> <p99 µs>".
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <vector>

#include <CLI/CLI.hpp>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/saga/driver.hpp>
#include <flotilla/saga/tables.hpp>
#include <flotilla/service/database_work.hpp>
#include <flotilla/store/framework_tables.hpp>

namespace {

using namespace flotilla;
using Clock = std::chrono::steady_clock;

constexpr int kSteps = 3;

struct Order {
    std::string order, reference;
};
struct OrderId {
    std::string order;
};
struct Answer {
    std::string reference;
};
constexpr Service kParticipant{"participant"};
constexpr Endpoint<OrderId, Answer> kDo{kParticipant, Method::put, "/orders/{order}"};
constexpr Endpoint<OrderId, Answer> kUndo{kParticipant, Method::delete_, "/orders/{order}"};

OrderId order_of(const Order& order) { return {order.order}; }
void keep(Order& order, const Answer& answer) { order.reference = answer.reference; }

saga::Definition<Order> definition() {
    const auto act = saga::call(kDo, &order_of, &keep);
    const auto undo = saga::call(kUndo, &order_of);
    return {"bench",
            1,
            {step("payment", act).undone_by(undo), step("inventory", act).undone_by(undo), step("shipping", act)}};
}

task<Result<std::string>> answer(Context&, const EndpointInfo&, const void*, RepeatedCall& repeated) {
    repeated.sent = 1;
    co_return std::string(R"({"reference":"r-1"})");
}

template <class T>
T expect(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Run {
    Database& database;
    saga::Sagas<Order>& sagas;
    Clock::time_point end;
    std::vector<double> latencies_us = {};
};

/// One client: the next saga once the one before has ended.
task<void> client(Context& context, Run& run) {
    while (Clock::now() < run.end) {
        const auto begin = Clock::now();
        const auto id = std::string(new_id(context.world()).view());
        expect(co_await run.database.transact(
            context, [&run, id](Transaction& tx) { return run.sagas.start(tx, id, {.order = id}); }));
        const auto saga = expect(co_await run.sagas.settled(context, id, std::chrono::seconds(30)));
        if (saga.status != saga::Status::completed) throw std::runtime_error("a saga did not complete");
        run.latencies_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
}

task<void> run_clients(Context& context, Run& run, std::size_t concurrent, DatabaseWork& work) {
    Context working(context);
    Scope driving(working);
    driving.spawn(work.run(driving.context()));
    Scope scope(context);
    for (std::size_t i = 0; i < concurrent; ++i)
        scope.spawn(client(scope.context(), run));
    co_await scope.join();
    driving.cancel(Error(Kind::cancelled, "the measurement has ended"));
    co_await driving.join();
}

double cpu_us() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double percentile(std::vector<double>& values, double share) {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, at);
    return *at;
}

void measure(const std::string& file, std::size_t concurrent, double seconds) {
    Loop loop;
    Context root(loop.world());
    const auto database = expect(open_database(loop.world(), sqlite_url(file), "bench"));
    expect(loop.run_until_done(database->migrate(root, "flotilla", framework_migrations())));
    expect(loop.run_until_done(database->migrate(root, saga::kComponent, saga::migrations())));
    const auto bus = expect(open_bus(loop.world(), "memory:bench"));
    Telemetry telemetry(Logger("bench", LogLevel::error));
    const auto family =
        std::make_shared<saga::detail::Family>(saga::detail::Family{.name = "bench", .state = &descriptor_of<Order>});
    saga::Sagas<Order> sagas(*database, family);
    sagas.define(definition());
    DatabaseDuties duties;
    duties.parts.push_back({"the sagas", "sagas", [&](Tenure& tenure) {
                                return std::make_unique<saga::Driver>(loop.world(), tenure,
                                                                      saga::Families{{"bench", family}}, answer,
                                                                      telemetry, saga::DriverOptions{});
                            }});
    DatabaseWork work(loop.world(), *database, *bus, telemetry, {.service = "bench", .instance = "bench-1"},
                      std::move(duties));
    const auto begin = Clock::now();
    const auto cpu = cpu_us();
    Run run{*database, sagas,
            begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))};
    loop.run_until_done(run_clients(root, run, concurrent, work));
    const std::chrono::duration<double> elapsed = Clock::now() - begin;
    const auto steps = static_cast<double>(run.latencies_us.size() * kSteps);
    std::printf("%.1f %.3f %.1f %.1f\n", steps / elapsed.count(), (cpu_us() - cpu) / steps,
                percentile(run.latencies_us, 0.5), percentile(run.latencies_us, 0.99));
}

} // namespace

int main(int argc, char** argv) {
    std::string file;
    std::size_t concurrent = 1;
    double seconds = 2;
    CLI::App app("Sagas of three steps, so many at a time.");
    app.add_option("--file", file, "The database; made")->required();
    app.add_option("--concurrent", concurrent)->check(CLI::Range(1, 10'000));
    app.add_option("--seconds", seconds)->check(CLI::Range(0.01, 600.0));
    CLI11_PARSE(app, argc, argv);
    try {
        measure(file, concurrent, seconds);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench-saga: %s\n", error.what());
        return 1;
    }
}
