#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/saga/definition.hpp>
#include <flotilla/saga/view.hpp>

namespace flotilla::saga {

/// What a saga that is due waits for.
enum class Waits : std::uint8_t { send, reply };

/// What a person, or the service, asks of the engine: it is done when the engine comes to the saga, which is at once.
enum class Asked : std::uint8_t {
    nothing,
    retry, ///< goes on with what is parked, with fresh tries
    skip,  ///< takes the current step, or its compensation, for done
    abort, ///< compensates what is not past the pivot
};

/// A saga as its row has it: see tables.cpp.
struct Instance {
    std::string id;
    std::string definition;
    std::int64_t definition_version = 0;
    std::string state; ///< JSON
    Status status = Status::running;
    Direction direction = Direction::forward;
    std::string step;
    std::vector<StepMark> steps;
    std::int64_t attempt = 0;
    Waits waits = Waits::send;
    bool uncertain = false;
    bool past_pivot = false;
    Asked asked = Asked::nothing;
    std::optional<std::string> asked_reason;
    std::optional<std::string> reason;
    Timestamp started_at;
    Timestamp progressed_at;
    std::optional<Timestamp> due_at;
    std::optional<Timestamp> deadline;
    std::optional<Timestamp> stuck_at;
    std::optional<Timestamp> finished_at;
    std::int64_t in_hand = 0;
    std::int64_t row_version = 0;
    std::string traceparent;

    bool active() const { return status == Status::running || status == Status::compensating; }
    StepMark& mark(const std::string& name);
};

/// What others see of it.
View view_of(const Instance& instance);

/// Empty, or why a program with that plan (null: it has none) cannot go on with the saga: a step is gone.
std::string missing_handler(const Instance& instance, const detail::Plan* plan);

} // namespace flotilla::saga
