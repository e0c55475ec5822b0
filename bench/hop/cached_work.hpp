#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <flotilla/aio/offload.hpp>
#include <flotilla/resilience/fallback.hpp>

#include "bench/hop/api/hop.hpp"

namespace flotilla::bench {

/// What the last hop does where it is to cost something: an answer takes some CPU, and what it is made of comes out of
/// a cache, or from a blocking engine behind it that is slower by far: as many at a time as the pool has threads
/// (four). Thread-safety: none; one loop.
class CachedWork {
public:
    explicit CachedWork(World& world);

    /// With the framework's cache: one look-up at a time for each question, as long as somebody waits for it.
    task<Result<hop::Answer>> by_stack(Context& context, hop::Call request);
    /// With a map: each who does not find it looks it up, until it is there.
    task<Result<hop::Answer>> barely(Context& context, hop::Call request);
    task<Result<Empty>> fill(Context& context, hop::Caches known);
    task<Result<Empty>> wipe(Context& context, Empty);

private:
    task<Result<int>> look_up(Context& context);

    World& world_;
    std::vector<std::string> keys_;
    Duration look_up_{};
    Fallback<int> cache_;
    std::unordered_map<std::string, int> map_;
};

} // namespace flotilla::bench
