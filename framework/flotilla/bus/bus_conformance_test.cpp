#include <atomic>

#include <flotilla/bus/conformance/bus_conformance.hpp>
#include <flotilla/bus/conformance/channel_conformance.hpp>
#include <flotilla/bus/conformance/hub_server.hpp>
#include <flotilla/bus/conformance/redis_server.hpp>
#include <flotilla/bus/memory/memory_bus.hpp>
#include <flotilla/bus/redis/redis_connection.hpp>

namespace flotilla::bus_testing::bus_conformance_test {
namespace {

/// Holds the named bus open, so that it outlives the bus objects of the test as a server would.
class MemoryServer final : public BusServer {
public:
    MemoryServer() : name_("conformance-" + std::to_string(next_++)) {}
    std::string url() const override { return "memory:" + name_; }
    void wipe() override { wipe_memory_bus(name_); }
    task<std::size_t> publish_on_channel(Context&, std::string channel, std::string payload) override {
        co_return publish_on_memory_channel(name_, channel, payload);
    }

private:
    static inline std::atomic<int> next_{0};
    std::string name_;
};

/// A server process: RedisServer or HubServer.
template <class Process>
class ProcessServer final : public BusServer {
public:
    std::string url() const override { return process_.url(); }
    void restart() override { process_.restart(); }
    void wipe() override { process_.wipe(); }
    task<std::size_t> publish_on_channel(Context& context, std::string channel, std::string payload) override {
        RedisConnection connection(context.world(), want(parse_redis_url(url())));
        const auto heard = co_await connection.call_one(context, RedisCommands{"PUBLISH", channel, payload});
        co_return heard ? static_cast<std::size_t>(heard->integer) : 0; // none while it starts
    }

private:
    Process process_;
};

template <class Process>
BusCase process_case(std::string name) {
    return {.name = std::move(name),
            .features = {.durable = true},
            .restarts = true,
            .wipes = true,
            .start = []() -> std::unique_ptr<BusServer> {
                if (!Process::present()) return nullptr;
                return std::make_unique<ProcessServer<Process>>();
            }};
}

INSTANTIATE_TEST_SUITE_P(Memory, BusConformance, testing::Values(BusCase{.name = "memory", .wipes = true, .start = [] {
                                                                             return std::make_unique<MemoryServer>();
                                                                         }}));
INSTANTIATE_TEST_SUITE_P(Redis, BusConformance, testing::Values(process_case<RedisServer>("redis-server")));
INSTANTIATE_TEST_SUITE_P(Hub, BusConformance, testing::Values(process_case<HubServer>("flotilla-hub")));

} // namespace
} // namespace flotilla::bus_testing::bus_conformance_test
