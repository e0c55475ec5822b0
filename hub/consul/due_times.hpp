#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <flotilla/aio/deadline.hpp>

namespace flotilla::hub::consul {

/// When each of many has its next turn, so that neither a heartbeat nor a tick looks at all of them. Thread-safety:
/// none.
class DueTimes {
public:
    /// `planned`: what its owner keeps for it, Instant::max() at first. Instant::max(): it has no turn.
    void plan(const std::string& id, Instant& planned, Instant at) {
        if (planned == at) return;
        if (planned != Instant::max()) turns_.erase({planned, id});
        if (at != Instant::max()) turns_.emplace(at, id);
        planned = at;
    }
    /// Whose turn has come, in order of time.
    std::vector<std::string> due(Instant now) const {
        std::vector<std::string> ids;
        for (auto turn = turns_.begin(); turn != turns_.end() && turn->first <= now; ++turn)
            ids.push_back(turn->second);
        return ids;
    }
    Instant next() const { return turns_.empty() ? Instant::max() : turns_.begin()->first; }

private:
    std::set<std::pair<Instant, std::string>> turns_;
};

} // namespace flotilla::hub::consul
