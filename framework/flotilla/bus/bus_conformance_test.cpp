#include <atomic>

#include <flotilla/bus/conformance/bus_conformance.hpp>
#include <flotilla/bus/conformance/redis_server.hpp>
#include <flotilla/bus/memory/memory_bus.hpp>

namespace flotilla::bus_testing {
namespace {

/// Holds the named bus open, so that it outlives the bus objects of the test as a server would.
class MemoryServer final : public BusServer {
public:
    MemoryServer() : name_("conformance-" + std::to_string(next_++)) {}
    std::string url() const override { return "memory:" + name_; }
    void wipe() override { wipe_memory_bus(name_); }

private:
    static inline std::atomic<int> next_{0};
    std::string name_;
};

class RedisBusServer final : public BusServer {
public:
    std::string url() const override { return redis_.url(); }
    void restart() override { redis_.restart(); }
    void wipe() override { redis_.wipe(); }

private:
    RedisServer redis_;
};

INSTANTIATE_TEST_SUITE_P(Memory, BusConformance, testing::Values(BusCase{.name = "memory", .wipes = true, .start = [] {
                                                                             return std::make_unique<MemoryServer>();
                                                                         }}));

INSTANTIATE_TEST_SUITE_P(
    Redis, BusConformance,
    testing::Values(BusCase{
        .name = "redis-server", .features = {.durable = true}, .restarts = true, .wipes = true, .start = [] {
            return RedisServer::present() ? std::make_unique<RedisBusServer>() : nullptr;
        }}));

} // namespace
} // namespace flotilla::bus_testing
