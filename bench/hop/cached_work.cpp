#include "bench/hop/cached_work.hpp"

#include <chrono>
#include <thread>

#include "bench/service/computed.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kKeysMax = 1'000'000;

hop::Answer answer(hop::Call request, int found) {
    return {.id = std::move(request.id), .computed = found * computed()};
}

} // namespace

CachedWork::CachedWork(World& world)
    : world_(world), cache_({.age_max = 1h, .fresh_for = 1h, .entries_max = kKeysMax}) {}

task<Result<int>> CachedWork::look_up(Context& context) {
    return offload(context, [time = look_up_]() -> Result<int> {
        std::this_thread::sleep_for(time);
        return 1;
    });
}

task<Result<hop::Answer>> CachedWork::by_stack(Context& context, hop::Call request) {
    const auto found = co_await must(cache_.call(context, request.id, [this](Context& own) { return look_up(own); }));
    co_return answer(std::move(request), found.value);
}

task<Result<hop::Answer>> CachedWork::barely(Context&, hop::Call request) {
    if (!map_.contains(request.id)) {
        Context unbounded(world_); // nothing tells the engine how long anybody waits
        map_[request.id] = co_await must(look_up(unbounded));
    }
    co_return answer(std::move(request), map_[request.id]);
}

task<Result<Empty>> CachedWork::fill(Context& context, hop::Caches known) {
    look_up_ = std::chrono::microseconds(known.look_up_us);
    keys_.clear();
    for (std::int64_t key = 0; key < known.keys; ++key)
        keys_.push_back(std::to_string(key));
    for (const auto& key : keys_) {
        map_[key] = 1;
        co_await must(cache_.call(context, key, [](Context&) -> task<Result<int>> { co_return 1; }));
    }
    co_return Empty{};
}

task<Result<Empty>> CachedWork::wipe(Context&, Empty) {
    map_.clear();
    for (const auto& key : keys_)
        cache_.forget(key);
    co_return Empty{};
}

} // namespace flotilla::bench
