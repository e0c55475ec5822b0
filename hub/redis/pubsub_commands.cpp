#include "hub/redis/commands.hpp"

namespace flotilla::hub::commands {

void publish(Call& call) {
    if (!call.name_fits(call[1])) return;
    const auto receivers = call.engine.pubsub().receivers(call[1]);
    for (const auto& [session, pattern] : receivers) {
        if (pattern) {
            call.engine.push(*session, std::array<std::string_view, 4>{"pmessage", *pattern, call[1], call[2]});
        } else {
            call.engine.push(*session, std::array<std::string_view, 3>{"message", call[1], call[2]});
        }
    }
    call.reply.integer(static_cast<std::int64_t>(receivers.size()));
}

namespace {

void confirm(Call& call, std::string_view kind, std::optional<std::string_view> name) {
    call.reply.push(3);
    call.reply.bulk(kind);
    if (name) {
        call.reply.bulk(*name);
    } else {
        call.reply.null();
    }
    call.reply.integer(static_cast<std::int64_t>(call.session.subscriptions()));
}

/// Every name given, or everything subscribed.
std::vector<std::string> names_to_leave(const Call& call, const std::set<std::string, std::less<>>& subscribed) {
    if (call.size() == 1) return {subscribed.begin(), subscribed.end()};
    return {call.arguments.begin() + 1, call.arguments.end()};
}

} // namespace

void subscribe(Call& call) {
    for (const std::string_view channel : call.arguments.subspan(1)) {
        if (!call.name_fits(channel)) return;
        call.engine.pubsub().subscribe(call.session, channel);
        confirm(call, "subscribe", channel);
    }
}

void psubscribe(Call& call) {
    for (const std::string_view pattern : call.arguments.subspan(1)) {
        if (!call.pattern_fits(pattern)) return;
        call.engine.pubsub().subscribe_pattern(call.session, pattern);
        confirm(call, "psubscribe", pattern);
    }
}

void unsubscribe(Call& call) {
    const auto names = names_to_leave(call, call.session.channels);
    for (const std::string& channel : names) {
        call.engine.pubsub().unsubscribe(call.session, channel);
        confirm(call, "unsubscribe", channel);
    }
    if (names.empty()) confirm(call, "unsubscribe", std::nullopt);
}

void punsubscribe(Call& call) {
    const auto names = names_to_leave(call, call.session.patterns);
    for (const std::string& pattern : names) {
        call.engine.pubsub().unsubscribe_pattern(call.session, pattern);
        confirm(call, "punsubscribe", pattern);
    }
    if (names.empty()) confirm(call, "punsubscribe", std::nullopt);
}

void pubsub_channels(Call& call) {
    if (call.size() > 3) return call.subcommand_error();
    if (call.size() == 3 && !call.pattern_fits(call[2])) return;
    const std::size_t place = call.reply.place();
    std::size_t found = 0;
    for (const auto& [channel, listeners] : call.engine.pubsub().channels()) {
        if (call.size() == 3 && !glob_matches(call[2], channel)) continue;
        call.reply.bulk(channel);
        ++found;
    }
    call.reply.array_at(place, found);
}

void pubsub_numsub(Call& call) {
    const auto& channels = call.engine.pubsub().channels();
    const auto names = call.arguments.subspan(2);
    call.reply.array(names.size() * 2); // in RESP3, too
    for (const std::string_view name : names) {
        const auto found = channels.find(name);
        call.reply.bulk(name);
        call.reply.integer(found == channels.end() ? 0 : static_cast<std::int64_t>(found->second.size()));
    }
}

void pubsub_numpat(Call& call) {
    call.reply.integer(static_cast<std::int64_t>(call.engine.pubsub().patterns().size()));
}

} // namespace flotilla::hub::commands
