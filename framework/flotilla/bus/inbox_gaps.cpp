#include <flotilla/bus/inbox_gaps.hpp>

#include <algorithm>

namespace flotilla::inbox {

Gaps::Hold Gaps::hold(Instant now, std::shared_ptr<const Message> message, std::string token) {
    auto [gap, opened] = gaps_.try_emplace(message->producer);
    if (opened) start_patience(gap->second, now);
    auto [held, added] = gap->second.held.try_emplace(message->sequence);
    if (!added) {
        // The same delivery again, after the connection was lost: it must not be acknowledged.
        return held->second.token == token ? Hold::added : Hold::already;
    }
    held->second.token = std::move(token);
    ++tokens_;
    if (messages_ < kMessagesHeld) {
        held->second.message = std::move(message);
        ++messages_;
    }
    if (tokens_ > kTokensHeld) gap->second.give_up_at = now;
    return opened ? Hold::opened : Hold::added;
}

std::optional<Held> Gaps::take(const std::string& producer, std::uint64_t mark, Instant now) {
    const auto gap = gaps_.find(producer);
    if (gap == gaps_.end() || gap->second.held.begin()->first > mark + 1) return std::nullopt;
    return pop(gap, now);
}

std::pair<std::uint64_t, Held> Gaps::give_up(const std::string& producer, Instant now) {
    const auto gap = gaps_.find(producer);
    const auto sequence = gap->second.held.begin()->first;
    return {sequence, pop(gap, now)};
}

/// What remains may wait for something else: the patience starts anew.
Held Gaps::pop(std::map<std::string, Gap>::iterator gap, Instant now) {
    auto node = gap->second.held.extract(gap->second.held.begin());
    --tokens_;
    if (node.mapped().message) --messages_;
    start_patience(gap->second, now);
    if (gap->second.held.empty()) gaps_.erase(gap);
    return std::move(node.mapped());
}

void Gaps::start_patience(Gap& gap, Instant now) const {
    gap.ask_at = now;
    gap.ask_wait = kAskAgain;
    gap.give_up_at = now + wait_max_;
}

void Gaps::asked(Gap& gap, Instant now) {
    gap.ask_at = now + gap.ask_wait;
    gap.ask_wait = std::min(gap.ask_wait * 2, kAskAgainMax);
}

Instant Gaps::due() const {
    Instant due = Instant::max();
    for (const auto& [producer, gap] : gaps_)
        due = std::min({due, gap.ask_at, gap.give_up_at});
    return due;
}

} // namespace flotilla::inbox
