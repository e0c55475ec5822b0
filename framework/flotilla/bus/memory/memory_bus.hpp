#pragma once

#include <memory>
#include <string_view>

#include <flotilla/bus/bus.hpp>

namespace flotilla {

/// Opens "memory:NAME": one bus per name and process, shared by every loop of the process; it lives as long as somebody
/// has it open. Streams are bounded: what every group has handled is trimmed first, then publishing is refused with
/// unavailable `bus_full`. Errors: invalid (no name).
Result<std::unique_ptr<Bus>> open_memory_bus(World& world, std::string_view url);

/// Publishes a bare payload on a pub/sub channel of the bus, as a program that knows no streams would; how many groups
/// heard it. For tests: in a process there is no such program.
std::size_t publish_on_memory_channel(std::string_view name, const std::string& channel, std::string_view payload);

/// Drops every message and every group's place, as a broker does that comes back with an empty disk: for tests and
/// fault injection. Subscriptions stay and start over.
void wipe_memory_bus(std::string_view name);

} // namespace flotilla
