// The process measured by the benchmark `store`: transactions as a service makes them, so many at a time.
// Prints "<transactions per second> <CPU µs per transaction> <p50 µs> <p99 µs>".
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <vector>

#include <CLI/CLI.hpp>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/bus/outbox.hpp>
#include <flotilla/contract/topic.hpp>
#include <flotilla/store/database.hpp>
#include <flotilla/store/framework_tables.hpp>

namespace {

using namespace flotilla;
using Clock = std::chrono::steady_clock;

struct OrderPlaced {
    std::string order_id, user_id;
    std::int64_t total_cents = 0;
};
constexpr Topic<OrderPlaced> kPlaced{"order.created", {.key = &OrderPlaced::order_id}};

constexpr Migration kTables[] = {{1, "0001_create_orders",
                                  "CREATE TABLE orders (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, total BIGINT NOT "
                                  "NULL, created_at BIGINT NOT NULL);\n"}};

/// One order: its row and its event's, in one commit.
Result<std::int64_t> place(Transaction& tx) {
    const OrderPlaced placed{.order_id = tx.new_id(), .user_id = "u-1", .total_cents = 1999};
    auto inserted = tx.execute("INSERT INTO orders (id, user_id, total, created_at) VALUES ($1, $2, $3, $4)",
                               placed.order_id, placed.user_id, placed.total_cents, tx.now());
    if (!inserted) return inserted;
    if (auto published = publish_event(tx, kPlaced.name, 0, placed.order_id, json::write(placed)); !published)
        return published.error();
    return inserted;
}

struct Run {
    Database& database;
    Clock::time_point end;
    std::vector<double> latencies_us = {};
};

/// One client: the next transaction once the one before is durable.
task<void> client(Context& context, Run& run) {
    while (Clock::now() < run.end) {
        const auto begin = Clock::now();
        auto placed = co_await run.database.transact(context, place);
        if (!placed) throw std::runtime_error(placed.error().message());
        run.latencies_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
}

task<void> run_clients(Context& context, Run& run, std::size_t concurrent) {
    Scope scope(context);
    for (std::size_t i = 0; i < concurrent; ++i)
        scope.spawn(client(scope.context(), run));
    co_await scope.join();
}

double cpu_us() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

template <class T>
void expect(const Result<T>& result) {
    if (!result) throw std::runtime_error(result.error().message());
}

void measure(const std::string& file, std::size_t concurrent, double seconds) {
    Loop loop;
    Context context(loop.world());
    auto database = open_database(loop.world(), sqlite_url(file), "bench-store");
    expect(database);
    expect(loop.run_until_done((*database)->migrate(context, "flotilla", framework_migrations())));
    expect(loop.run_until_done((*database)->migrate(context, "service", kTables)));
    const auto run_for = [&](double some_seconds) {
        const auto duration = std::chrono::duration<double>(some_seconds);
        Run run{.database = **database, .end = Clock::now() + std::chrono::duration_cast<Clock::duration>(duration)};
        loop.run_until_done(run_clients(context, run, concurrent));
        return std::move(run.latencies_us);
    };
    run_for(seconds / 4); // until the log of SQLite has its size
    const double cpu_before = cpu_us();
    const auto begin = Clock::now();
    auto latencies = run_for(seconds);
    const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    const double cpu = cpu_us() - cpu_before;
    std::ranges::sort(latencies);
    const auto count = static_cast<double>(latencies.size());
    std::printf("%.3f %.3f %.3f %.3f\n", count / elapsed, cpu / count, latencies[latencies.size() / 2],
                latencies[latencies.size() * 99 / 100]);
}

} // namespace

int main(int argc, char** argv) {
    std::string file;
    std::size_t concurrent = 1;
    double seconds = 2;
    CLI::App app("Transactions with an event in the outbox, measured.");
    app.add_option("--file", file, "Database file, created")->required();
    app.add_option("--concurrent", concurrent, "Transactions at a time")->check(CLI::Range(1, 10'000));
    app.add_option("--seconds", seconds, "How long")->check(CLI::Range(0.01, 3600.0));
    CLI11_PARSE(app, argc, argv);
    try {
        measure(file, concurrent, seconds);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench-store: %s\n", error.what());
        return 1;
    }
    return 0;
}
