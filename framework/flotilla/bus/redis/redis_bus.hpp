#pragma once

#include <memory>
#include <string_view>

#include <flotilla/bus/bus.hpp>

namespace flotilla {

/// Opens the bus on Redis streams: the hub, Redis 7, Valkey. URLs: see parse_redis_url().
///
/// A partition is the stream `flotilla:{TOPIC}:PARTITION`; an entry holds the CloudEvents attributes. Publishing also
/// PUBLISHes the bare JSON payload on the channel named like the topic, for any plain Redis subscriber (at most once;
/// an event that is published again is heard again). Durability is the server's: the hub's is on disk.
/// Publishers trim streams now and then, only below the slowest group; a full server refuses, which is `unavailable`.
/// Needs of the server: XADD, XGROUP CREATE, XREADGROUP, XACK, XAUTOCLAIM, XPENDING, XREVRANGE, XINFO GROUPS, XLEN,
/// XTRIM, SET NX/XX PX, GET, PUBLISH.
Result<std::unique_ptr<Bus>> open_redis_bus(World& world, std::string_view url);

} // namespace flotilla
