#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hub/redis/session.hpp"

namespace flotilla::hub {

/// Who listens to which channels and patterns. Thread-safety: none.
class PubSub {
public:
    /// False when it was subscribed already.
    bool subscribe(Session& session, std::string_view channel);
    bool unsubscribe(Session& session, std::string_view channel);
    bool subscribe_pattern(Session& session, std::string_view pattern);
    bool unsubscribe_pattern(Session& session, std::string_view pattern);
    void forget(Session& session);

    struct Receiver {
        Session* session;
        const std::string* pattern; ///< null: subscribed to the channel itself
    };
    /// Channel subscribers first, then by pattern.
    std::vector<Receiver> receivers(std::string_view channel) const;

    using Index = std::map<std::string, std::vector<Session*>, std::less<>>;
    const Index& channels() const { return channels_; }
    const Index& patterns() const { return patterns_; }

private:
    Index channels_;
    Index patterns_;
};

/// Redis' glob: * ? [a-z] [^a] and backslash. Bounded work whatever the pattern.
bool glob_matches(std::string_view pattern, std::string_view text);

} // namespace flotilla::hub
