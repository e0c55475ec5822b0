#include "hub/redis/pubsub.hpp"

#include <algorithm>

namespace flotilla::hub {

namespace {

bool join(PubSub::Index& index, std::set<std::string, std::less<>>& own, Session& session, std::string_view name) {
    if (!own.emplace(name).second) return false;
    index[std::string(name)].push_back(&session);
    return true;
}

bool leave(PubSub::Index& index, std::set<std::string, std::less<>>& own, Session& session, std::string_view name) {
    const auto mine = own.find(name);
    if (mine == own.end()) return false;
    const auto listeners = index.find(name);
    std::erase(listeners->second, &session);
    if (listeners->second.empty()) index.erase(listeners);
    own.erase(mine);
    return true;
}

/// Matches one character against the class that starts at `at` ('['); moves `at` behind it.
bool class_matches(std::string_view pattern, std::size_t& at, unsigned char c) {
    ++at;
    const bool negated = at < pattern.size() && pattern[at] == '^';
    if (negated) ++at;
    bool matches = false;
    while (at < pattern.size() && pattern[at] != ']') {
        if (pattern[at] == '\\' && at + 1 < pattern.size()) {
            matches |= static_cast<unsigned char>(pattern[++at]) == c;
            ++at;
        } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
            const auto [low, high] =
                std::minmax({static_cast<unsigned char>(pattern[at]), static_cast<unsigned char>(pattern[at + 2])});
            matches |= low <= c && c <= high;
            at += 3;
        } else {
            matches |= static_cast<unsigned char>(pattern[at]) == c;
            ++at;
        }
    }
    if (at < pattern.size()) ++at;
    return matches != negated;
}

/// Matches one character that is not a star; moves `at` behind what it used.
bool one_matches(std::string_view pattern, std::size_t& at, unsigned char c) {
    switch (pattern[at]) {
    case '?':
        ++at;
        return true;
    case '[':
        return class_matches(pattern, at, c);
    case '\\':
        if (at + 1 < pattern.size()) ++at;
        [[fallthrough]];
    default:
        return static_cast<unsigned char>(pattern[at++]) == c;
    }
}

} // namespace

bool PubSub::subscribe(Session& session, std::string_view channel) {
    return join(channels_, session.channels, session, channel);
}
bool PubSub::unsubscribe(Session& session, std::string_view channel) {
    return leave(channels_, session.channels, session, channel);
}
bool PubSub::subscribe_pattern(Session& session, std::string_view pattern) {
    return join(patterns_, session.patterns, session, pattern);
}
bool PubSub::unsubscribe_pattern(Session& session, std::string_view pattern) {
    return leave(patterns_, session.patterns, session, pattern);
}

void PubSub::forget(Session& session) {
    while (!session.channels.empty())
        unsubscribe(session, std::string(*session.channels.begin()));
    while (!session.patterns.empty())
        unsubscribe_pattern(session, std::string(*session.patterns.begin()));
}

std::vector<PubSub::Receiver> PubSub::receivers(std::string_view channel) const {
    std::vector<Receiver> found;
    if (const auto listeners = channels_.find(channel); listeners != channels_.end()) {
        for (Session* session : listeners->second)
            found.push_back({session, nullptr});
    }
    for (const auto& [pattern, listeners] : patterns_) {
        if (!glob_matches(pattern, channel)) continue;
        for (Session* session : listeners)
            found.push_back({session, &pattern});
    }
    return found;
}

/// A star remembers where it stood; on a mismatch the last star takes one more character. That is quadratic at worst.
bool glob_matches(std::string_view pattern, std::string_view text) {
    std::size_t at = 0;
    std::size_t position = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_position = 0;
    while (position < text.size()) {
        if (at < pattern.size() && pattern[at] == '*') {
            star = at++;
            star_position = position;
            continue;
        }
        if (at < pattern.size() && one_matches(pattern, at, static_cast<unsigned char>(text[position]))) {
            ++position;
            continue;
        }
        if (star == std::string_view::npos) return false;
        at = star + 1;
        position = ++star_position;
    }
    while (at < pattern.size() && pattern[at] == '*')
        ++at;
    return at == pattern.size();
}

} // namespace flotilla::hub
