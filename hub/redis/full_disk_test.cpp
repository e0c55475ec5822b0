#include <chrono>
#include <functional>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>

#include "hub/redis/redis_server.hpp"
#include "hub/redis/sqlite_journal.hpp"
#include "hub/testing/full_disk.hpp"
#include "hub/testing/redis_client.hpp"
#include "hub/testing/temporary_folder.hpp"

namespace flotilla::hub::full_disk_test {
namespace {

/// A bus on a free port, on a loop and thread of its own, whose disk is full when told so.
class DiskBench {
public:
    DiskBench() {
        auto port = ready_.get_future();
        thread_ = std::thread([this] { loop_.run_until_done(serve()); });
        port_ = port.get();
    }
    ~DiskBench() {
        loop_.world().post([this] { server_.stop(); });
        thread_.join();
    }
    RedisClient connect() const { return RedisClient(port_); }
    std::int64_t refusing() { return counted_.refusing_writes.value(); }

private:
    task<void> serve() {
        Context context(loop_.world());
        ready_.set_value(server_.listen(Address::tcp("127.0.0.1", 0)).value().port);
        co_await server_.run(context);
    }
    TemporaryFolder folder_;
    std::unique_ptr<SqliteJournal> journal_ = std::move(SqliteJournal::open(folder_ / "bus.db").value());

public:
    FullDisk disk{*journal_};

private:
    Loop loop_;
    Keyspace keyspace_{disk};
    Engine engine_{keyspace_, [] { return 1'000'000; }};
    Metrics metrics_;
    RedisMetrics counted_{metrics_};
    RedisServer server_{
        loop_.world(), engine_, Logger("test", LogLevel::error, Logger::Format::json, [](std::string_view) {}),
        counted_,      [] {},   {.retry_after_failure = std::chrono::milliseconds(1)}};
    std::promise<std::uint16_t> ready_;
    std::thread thread_;
    std::uint16_t port_ = 0;
};

/// Waits without a pause, for ten seconds at most.
bool eventually(const std::function<bool()>& wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!wanted()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

// Goal: after a failed commit the bus tries to write again and again, refuses writes until it can, and is well then
// without any client's help.
TEST(FullDisk, BusFindsOutItselfThatItCanWriteAgain) {
    DiskBench bus;
    RedisClient reader = bus.connect();
    RedisClient writer = bus.connect();
    EXPECT_EQ(show(writer({"XADD", "s", "1-1", "n", "x"})), "\"1-1\"");
    bus.disk.full = true;
    writer.send({"XADD", "s", "2-1", "n", "lost"});
    EXPECT_EQ(writer.socket().receive_all(), "");
    EXPECT_TRUE(eventually([&] { return bus.disk.probes >= 3; }));
    EXPECT_EQ(bus.refusing(), 1);
    EXPECT_EQ(show(reader({"XADD", "s", "2-1", "n", "x"})),
              "-MISCONF Errors writing to the AOF file: database or disk is full");
    EXPECT_EQ(show(reader({"XLEN", "s"})), ":1");
    bus.disk.full = false;
    EXPECT_TRUE(eventually([&] { return bus.refusing() == 0; }));
    EXPECT_EQ(show(reader({"XADD", "s", "2-1", "n", "x"})), "\"2-1\"");
    const int probes = bus.disk.probes;
    EXPECT_EQ(show(reader({"XLEN", "s"})), ":2");
    EXPECT_EQ(bus.disk.probes.load(), probes) << "it tries only while it refuses";
}

} // namespace
} // namespace flotilla::hub::full_disk_test
