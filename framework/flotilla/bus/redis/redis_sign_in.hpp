#pragma once

#include <memory>

#include <flotilla/aio/stream.hpp>
#include <flotilla/bus/redis/redis_target.hpp>
#include <flotilla/bus/redis/resp.hpp>

namespace flotilla {

/// Connects to a Redis server within 3 s, signs in and selects the database, where the target says so. What the server
/// sends beyond that stays in the parser. Errors: unavailable `redis_unreachable` with the address and why, the
/// context's reason.
task<Result<std::unique_ptr<Stream>>> connect_redis(Context& context, const RedisTarget& target, resp::Parser& parser);

} // namespace flotilla
