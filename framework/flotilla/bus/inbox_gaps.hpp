#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <flotilla/aio/deadline.hpp>
#include <flotilla/bus/bus.hpp>

namespace flotilla::inbox {

/// A delivery that came before its turn. Without a message only the token is kept: the bus still has it.
struct Held {
    std::shared_ptr<const Message> message;
    std::string token;
};

/// What is held back of one producer because earlier events are missing.
struct Gap {
    Instant ask_at{};                   ///< when to ask the producer (again)
    Duration ask_wait{};                ///< before the next time
    Instant give_up_at{};               ///< when to go on without what is missing
    std::map<std::uint64_t, Held> held; // by sequence; never empty
};

/// The gaps of one consumer, by producer. Pure bookkeeping: no I/O, no clock. Bounded: beyond kMessagesHeld only tokens
/// are kept, beyond kTokensHeld the gap is due to be given up. Thread-safety: none.
class Gaps {
public:
    static constexpr std::size_t kMessagesHeld = 1024;
    static constexpr std::size_t kTokensHeld = 256 * 1024; ///< what is published again comes behind all that waits
    static constexpr Duration kAskAgain = std::chrono::milliseconds(500); ///< doubling up to kAskAgainMax
    static constexpr Duration kAskAgainMax = std::chrono::minutes(1);

    explicit Gaps(Duration wait_max) : wait_max_(wait_max) {}

    enum class Hold : unsigned char { opened, added, already };
    /// Holds a delivery back. already: another delivery of the same message is held; this one may be acknowledged.
    Hold hold(Instant now, std::shared_ptr<const Message> message, std::string token);
    /// The next held delivery that may be looked at when the producer's mark is `mark`: at or below it (a duplicate),
    /// or the one right above.
    std::optional<Held> take(const std::string& producer, std::uint64_t mark, Instant now);
    /// Goes on without what is missing: the lowest held delivery, with its sequence.
    std::pair<std::uint64_t, Held> give_up(const std::string& producer, Instant now);

    bool empty() const { return gaps_.empty(); }
    bool has(const std::string& producer) const { return gaps_.contains(producer); }
    std::map<std::string, Gap>& by_producer() { return gaps_; }
    /// After the producer was asked.
    static void asked(Gap& gap, Instant now);
    /// When something is due. Requires: not empty().
    Instant due() const;

private:
    void start_patience(Gap& gap, Instant now) const;
    Held pop(std::map<std::string, Gap>::iterator gap, Instant now);

    Duration wait_max_;
    std::map<std::string, Gap> gaps_;
    std::size_t messages_ = 0, tokens_ = 0;
};

} // namespace flotilla::inbox
