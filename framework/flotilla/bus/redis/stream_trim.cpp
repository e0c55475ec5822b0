#include <flotilla/bus/redis/stream_trim.hpp>

#include <flotilla/bus/redis/stream_entry.hpp>

namespace flotilla {
namespace {

Error bad_reply(std::string_view command) {
    return Error(Kind::bad_gateway, "redis_protocol",
                 "redis: the reply to " + std::string(command) + " is not what it should be");
}

/// XINFO describes a group as a flat list (a map in RESP3) of names and values.
const resp::Value* field(const resp::Value& group, std::string_view name) {
    for (std::size_t i = 0; i + 1 < group.items.size(); i += 2) {
        if (group.items[i].text == name) return &group.items[i + 1];
    }
    return nullptr;
}

} // namespace

bool StreamTrimmer::due(std::size_t added) {
    added_ += added;
    if (added_ < kInterval) return false;
    added_ = 0;
    return true;
}

task<Result<void>> StreamTrimmer::trim(Context& context, RedisConnection& connection) {
    const auto length = co_await must(connection.call_one(context, RedisCommands{"XLEN", stream_}));
    if (length.integer <= static_cast<std::int64_t>(kEntriesKept)) co_return Result<void>();
    const auto groups = co_await must(connection.call_one(context, RedisCommands{"XINFO", "GROUPS", stream_}));
    if (groups.items.empty()) {
        co_await must(
            connection.call_one(context, RedisCommands{"XTRIM", stream_, "MAXLEN", "~", std::to_string(kUnreadKept)}));
        co_return Result<void>();
    }
    const auto place = co_await must(slowest_place(context, connection, groups));
    co_await must(connection.call_one(context, RedisCommands{"XTRIM", stream_, "MINID", "~", place}));
    co_return Result<void>();
}

/// The lowest entry that some group still needs: its first unacknowledged one, or else the last it was given.
task<Result<std::string>> StreamTrimmer::slowest_place(Context& context, RedisConnection& connection,
                                                       const resp::Value& groups) {
    const EntryIdLess less;
    std::string slowest;
    for (const auto& group : groups.items) {
        const auto* name = field(group, "name");
        const auto* pending = field(group, "pending");
        const auto* delivered = field(group, "last-delivered-id");
        if (name == nullptr || pending == nullptr || delivered == nullptr) co_return bad_reply("XINFO GROUPS");
        std::string place = delivered->text;
        if (pending->integer > 0) {
            const auto summary =
                co_await must(connection.call_one(context, RedisCommands{"XPENDING", stream_, name->text}));
            if (summary.items.size() < 2) co_return bad_reply("XPENDING");
            // Acknowledged meanwhile: null. The last delivered one is then the bound.
            if (!summary.items[1].is_null() && less(summary.items[1].text, place)) place = summary.items[1].text;
        }
        if (slowest.empty() || less(place, slowest)) slowest = std::move(place);
    }
    co_return slowest;
}

} // namespace flotilla
