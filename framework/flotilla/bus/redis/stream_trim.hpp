#pragma once

#include <cstddef>
#include <string>

#include <flotilla/bus/redis/redis_connection.hpp>

namespace flotilla {

/// Keeps one stream from growing for ever: every so many entries it removes what every consumer group has handled.
/// Entries that a group has yet to see or to acknowledge stay, whatever their age; a stream without groups keeps its
/// newest entries. Thread-safety: none.
class StreamTrimmer {
public:
    static constexpr std::size_t kInterval = 2'000;     ///< entries between two looks
    static constexpr std::size_t kEntriesKept = 10'000; ///< streams up to this long are left alone
    static constexpr std::size_t kUnreadKept = 100'000; ///< of a stream nobody reads

    explicit StreamTrimmer(std::string stream) : stream_(std::move(stream)) {}

    /// Counts entries that were added; true when it is time to trim().
    bool due(std::size_t added);
    /// Errors: as RedisConnection::call_one.
    task<Result<void>> trim(Context& context, RedisConnection& connection);

private:
    task<Result<std::string>> slowest_place(Context& context, RedisConnection& connection, const resp::Value& groups);

    std::string stream_;
    std::size_t added_ = 0;
};

} // namespace flotilla
