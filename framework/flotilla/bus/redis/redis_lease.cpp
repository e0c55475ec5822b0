#include <flotilla/bus/redis/redis_lease.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;

// One that hangs is followed within 5 s, as the holder of its database's role is.
constexpr Duration kLease = 4s;
constexpr Duration kRenewAfter = 1300ms;
constexpr Duration kAskAgain = 500ms; // while another consumer is active, half to once as long

} // namespace

RedisLease::RedisLease(World& world, RedisConnection& commands, std::string key, std::string holder)
    : world_(world), commands_(commands), key_(std::move(key)), holder_(std::move(holder)) {}

task<Result<bool>> RedisLease::renew(Context& context) {
    const auto now = world_.monotonic();
    if (active_ && now < renew_at_) co_return false;
    const auto holder = co_await must(commands_.call_one(context, RedisCommands{"GET", key_}));
    bool held = holder.is_null() || holder.text == holder_;
    if (held) {
        const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(kLease).count();
        const auto set = co_await must(
            commands_.call_one(context, RedisCommands{"SET", key_, holder_, holder.is_null() ? "NX" : "XX", "PX",
                                                      std::to_string(milliseconds)}));
        held = !set.is_null();
    }
    // Also when it expired while we thought we held it: somebody else may have been active in between.
    const bool anew = held && (!active_ || holder.is_null());
    active_ = held;
    renew_at_ = now + kRenewAfter;
    co_return anew;
}

task<Result<bool>> RedisLease::hold(Context& context) {
    for (;;) {
        co_await must(context.check());
        const bool anew = co_await must(renew(context));
        if (active_) co_return anew;
        const auto jitter =
            Duration(static_cast<Duration::rep>(world_.random() % static_cast<std::uint64_t>(kAskAgain.count() / 2)));
        co_await must(sleep_for(context, kAskAgain / 2 + jitter));
    }
}

} // namespace flotilla
