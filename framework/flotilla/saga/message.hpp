#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <flotilla/base/json_value.hpp>
#include <flotilla/contract/topic.hpp>

/// What a saga and a participant say to each other where a step travels as events. Both are part of the participant's
/// api/: `inline constexpr Topic<saga::Command<Reserve>> reserve{"inventory.reserve", {.key =
/// &saga::Command<Reserve>::saga}}` and `inline constexpr Topic<saga::Reply> replies{"inventory.replies", {.key =
/// &saga::Reply::saga}}`.
namespace flotilla::saga {

/// A command of a step. It may come again, also after its reply, and after the command that undoes it: then it must be
/// refused.
template <class T>
struct Command {
    std::string saga; ///< id of the saga: with step and undo the key that is the same for all tries
    std::string step;
    bool undo = false; ///< this undoes the step, which may never have happened
    T body;
};

/// Why a participant has done nothing.
struct Refusal {
    std::string code, message;
};

/// What a participant answers, in the transaction that did what was commanded.
struct Reply {
    std::string saga, step;
    bool undo = false;
    std::optional<Refusal> refused;           ///< absent: it is done
    std::optional<boost::json::value> result; ///< what the step's keep function gets
};

/// `replies.publish(tx, saga::done(*received))`
template <class T>
Reply done(const Command<T>& command, std::optional<boost::json::value> result = {}) {
    return {.saga = command.saga, .step = command.step, .undo = command.undo, .result = std::move(result)};
}
/// For good: the command has had no effect, and will have none if it is repeated.
template <class T>
Reply refused(const Command<T>& command, const Error& why) {
    return {.saga = command.saga,
            .step = command.step,
            .undo = command.undo,
            .refused = Refusal{why.code(), why.message()}};
}

} // namespace flotilla::saga
