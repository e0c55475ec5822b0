#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/store/projection.hpp>

/// The statements on flotilla_checkpoints, as transaction bodies and plain functions; when they run is the
/// ProjectionRunner's business.
namespace flotilla::checkpoints {

/// What one transaction has done for a version of a projection, or a subscription.
struct Step {
    std::int64_t position = 0; ///< the last event that was taken, now or before
    std::int64_t taken = 0;    ///< events
    bool live = false;
    bool swapped = false;  ///< it is live from this transaction on
    bool followed = false; ///< a later version is live: nothing was done, nor will be
};

/// Where a step ended in vain.
struct Failed {
    std::int64_t position = 0; ///< 0: not at an event
    std::string what;          ///< "order.placed, order-1 at 3"
};

/// Takes the next events up to the position `to`, at most so many, and moves the checkpoint, all in one transaction.
/// The first one of a follower makes its checkpoint; the newest version of a projection becomes the live one when it
/// has taken all and is not behind the one that is. Errors: a step's, and then `failed` tells where.
struct TakeNext {
    const EventFollower* follower;
    bool newest;
    std::int64_t to, limit;
    bool all; ///< `to` is the head, and not only up to an event that cannot be taken
    std::shared_ptr<Failed> failed;
    Result<Step> operator()(Transaction& transaction) const;
};

/// The version of a projection that is live, and how far it is; nullopt: none has begun.
struct Live {
    std::int64_t version = 0, position = 0;
};
task<Result<std::optional<Live>>> live(Context& context, Database& database, std::string_view projection);

/// When the first event behind a position happened; nullopt: there is none.
task<Result<std::optional<Timestamp>>> next_time(Context& context, Database& database, std::int64_t position);

/// Wakes who waits for a projection, after the commit of a step that took something.
inline constexpr std::string_view kTaken = "events_taken";
/// The same when a version has become the live one.
inline constexpr std::string_view kSwapped = "projection_swapped";

} // namespace flotilla::checkpoints
