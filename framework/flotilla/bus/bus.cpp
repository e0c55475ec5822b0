#include <flotilla/bus/bus.hpp>

#include <array>

#include <flotilla/bus/memory/memory_bus.hpp>
#include <flotilla/bus/redis/redis_bus.hpp>

namespace flotilla {
namespace {

struct Driver {
    std::string_view scheme;
    Result<std::unique_ptr<Bus>> (*open)(World& world, std::string_view url);
};

// The only list of drivers.
constexpr std::array kDrivers{
    Driver{"memory:", open_memory_bus},
    Driver{"redis:", open_redis_bus},
    Driver{"redis+unix:", open_redis_bus},
};

} // namespace

Result<std::unique_ptr<Bus>> open_bus(World& world, std::string_view url) {
    for (const Driver& driver : kDrivers) {
        if (url.starts_with(driver.scheme)) return driver.open(world, url);
    }
    return Error(Kind::invalid, "unknown_bus",
                 "no bus driver for \"" + std::string(url) +
                     "\": expected redis://HOST:PORT, redis+unix:PATH or memory:NAME");
}

std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) {
    // FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : key) {
        hash ^= static_cast<std::uint8_t>(c);
        hash *= 1099511628211ULL;
    }
    return static_cast<std::uint32_t>(hash % partitions);
}

} // namespace flotilla
