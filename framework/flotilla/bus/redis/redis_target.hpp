#pragma once

#include <string>
#include <string_view>

#include <flotilla/aio/world.hpp>

namespace flotilla {

/// Where a Redis server is and how to sign in.
struct RedisTarget {
    Address address;
    std::string user;     ///< empty: the default user
    std::string password; ///< empty: no AUTH
    int database = 0;
};

/// "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]" (port 6379 unless given; user and password percent-encoded) or
/// "redis+unix:/path/to/socket". Errors: invalid `invalid_bus_url`; the message never holds the password.
Result<RedisTarget> parse_redis_url(std::string_view url);

} // namespace flotilla
