#include "cli/bus_save.hpp"

#include <flotilla/base/json.hpp>
#include <flotilla/bus/redis/redis_connection.hpp>
#include <flotilla/node/text_file.hpp>

namespace flotilla::cli {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(20);

/// What the hub writes when everything listens.
struct HubPorts {
    std::uint16_t http, redis, smtp;
};

Result<HubPorts> ports_of(const std::string& hub_folder) {
    auto text = read_text_file(hub_folder + "/ports.json");
    if (!text) return std::move(text.error());
    return json::parse<HubPorts>(*text);
}

task<Result<std::string>> persistence(Context& context, RedisConnection& connection) {
    auto info = co_await must(connection.call_one(context, RedisCommands({"INFO", "persistence"})));
    co_return std::move(info.text);
}

} // namespace

task<Result<void>> save_bus(Context& context, std::string hub_folder) {
    const auto ports = co_await must(ports_of(hub_folder));
    RedisConnection connection(context.world(), {.address = Address::tcp("127.0.0.1", ports.redis)});
    std::string info;
    // One that began before us may end without what was acknowledged since.
    while ((info = co_await must(persistence(context, connection))).contains("rdb_bgsave_in_progress:1"))
        co_await must(sleep_for(context, kLookEvery));
    co_await must(connection.call_one(context, RedisCommands({"BGSAVE"})));
    while ((info = co_await must(persistence(context, connection))).contains("rdb_bgsave_in_progress:1"))
        co_await must(sleep_for(context, kLookEvery));
    if (info.contains("rdb_last_bgsave_status:ok")) co_return Result<void>();
    co_return Error(Kind::unavailable, "the hub could not save its bus; its log says why: ./flotilla logs hub");
}

} // namespace flotilla::cli
