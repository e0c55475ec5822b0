#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/time.hpp>
#include <flotilla/contract/error_code.hpp>

/// Sagas as they are seen from outside: by the service that starts them, on its pages, by `./flotilla sagas`.
namespace flotilla::saga {

enum class Status : std::uint8_t {
    running,
    compensating, ///< a step failed or somebody cancelled it: what was done is being undone, last first
    completed,    ///< every step is done
    compensated,  ///< whatever was done is undone
    parked,       ///< cannot go on by itself; the reason says why, and retry, skip or abort decide
};

constexpr bool settled(Status status) {
    return status == Status::completed || status == Status::compensated || status == Status::parked;
}

enum class StepState : std::uint8_t {
    none,
    sent,    ///< its command may have left, and how it ended is unknown
    done,    ///< or done by hand (skip)
    refused, ///< has had no effect
    undone,  ///< its compensation is done
};

enum class Direction : std::uint8_t { forward, undo };

/// A step that a saga has come to.
struct StepMark {
    std::string name;
    StepState state = StepState::none;
};

/// Where a saga stands. Times of the wall clock.
struct View {
    std::string id;
    std::string saga;         ///< the definition's name
    std::int64_t version = 0; ///< of the definition that this one runs under
    Status status = Status::running;
    Direction direction = Direction::forward;
    std::string step;            ///< the current one; empty: it has ended
    std::vector<StepMark> steps; ///< those it has come to, in order
    std::int64_t attempt = 0;    ///< the current step's try, from 1
    bool past_pivot = false;     ///< only forward from here on
    std::optional<std::string> reason;
    Timestamp started_at;
    Timestamp progressed_at;           ///< when the last step ended
    std::optional<Timestamp> due_at;   ///< when the engine looks at it again
    std::optional<Timestamp> deadline; ///< compensation begins then, unless it is past the pivot
    std::optional<Timestamp> stuck_at; ///< from then on it counts as stuck: no step ended for twice its timeout
    std::optional<Timestamp> finished_at;

    bool settled() const { return saga::settled(status); }
    /// The state of a step; none of one that it has not come to.
    StepState state_of(std::string_view name) const {
        for (const auto& mark : steps)
            if (mark.name == name) return mark.state;
        return StepState::none;
    }
};

/// One line of a saga's history.
struct HistoryEntry {
    std::int64_t number = 0; ///< 1, 2, 3, ...
    Timestamp at;
    std::string event;  ///< "started", "done", "refused", "unknown", "undone", "late reply", "parked", ...
    std::string step;   ///< empty: it is about the whole saga
    std::string detail; ///< reason, try, what followed
};

inline constexpr ErrorCode saga_not_found{"saga_not_found", Kind::not_found, "There is no saga {}"};
inline constexpr ErrorCode saga_past_pivot{"saga_past_pivot", Kind::conflict,
                                           "The saga {} is past the point where it could be undone"};

} // namespace flotilla::saga
