#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/inbox.hpp>
#include <flotilla/store/database.hpp>

/// The inbox's rows: high-water marks and parked messages; see store/framework_tables.cpp for the tables.
namespace flotilla::inbox {

enum class Verdict : std::uint8_t {
    handled,
    duplicate, ///< at or below the mark
    gap,       ///< more than one above the mark: nothing was done
    parked,    ///< set aside, now or with an earlier message of its key
};

/// What became of one message, and the mark (0: none yet) after it.
struct Outcome {
    Verdict verdict = Verdict::handled;
    std::uint64_t mark = 0;
};

/// Not the message's fault: to be tried again for ever.
inline bool is_outage(const Error& error) {
    return error.kind() == Kind::unavailable || error.kind() == Kind::deadline_exceeded;
}

/// A message to be handled, with what a transaction body must own.
struct Work {
    std::string consumer;
    std::shared_ptr<const Message> message;
    bool over_gap = false; ///< handle it although earlier ones are missing
    bool may_start = true; ///< when nothing of the producer was handled yet, this message may be the start
};

/// One message in one transaction: compares with the mark, calls the handler, moves the mark. Errors: the handler's; an
/// exception of it is an internal one. A message without a sequence is handled each time it comes.
Result<Outcome> handle(Transaction& transaction, const Work& work, const EventHandler& handler);

/// Sets the message aside and moves the mark.
Outcome park(Transaction& transaction, const Work& work, std::string_view reason, int attempts);

/// How many messages of the message's producer are set aside; counts no further than `most`.
std::int64_t count_parked(Transaction& transaction, const Work& work, std::int64_t most);

/// A message that was set aside.
struct Parked {
    std::string id, key;
    std::string message; ///< JSON
};

/// What a consumer has set aside of a partition, each producer's in order, at most `limit`.
task<Result<std::vector<Parked>>> load_parked(Context& context, Database& database, std::string consumer,
                                              std::string topic, std::uint32_t partition, std::int64_t limit);
/// Since when the first of them is set aside; nullopt: there is none.
task<Result<std::optional<Timestamp>>> parked_since(Context& context, Database& database, std::string consumer,
                                                    std::string topic, std::uint32_t partition);

/// Calls the handler with what was set aside and, when it succeeds, takes it out, in one transaction.
Result<void> replay(Transaction& transaction, std::string_view id, const Message& message, const EventHandler& handler);

/// A producer's first message that is numbered up to this is taken for one that came too early, not for the start.
inline constexpr std::uint64_t kReorderWindow = 64;

} // namespace flotilla::inbox
