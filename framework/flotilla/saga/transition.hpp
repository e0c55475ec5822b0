#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/result.hpp>
#include <flotilla/saga/instance.hpp>

namespace flotilla::saga {

/// What came of the current command.
struct Outcome {
    enum class What : std::uint8_t { done, refused, unknown };

    What what = What::unknown;
    std::optional<std::string> state = {}; ///< done: the state with what was answered; absent: as it was
    std::optional<Error> error = {};       ///< refused, unknown
    bool may_have_effect = false;          ///< refused, unknown: a try may have been carried out, or may yet be

    static Outcome done(std::optional<std::string> state = {}) {
        return {.what = What::done, .state = std::move(state)};
    }
    /// By the error's kind.
    static Outcome failed(Error error, bool may_have_effect);
};

/// Whether the answer says that nothing was done, and that the same command will be answered alike.
bool is_refusal(const Error& error);

/// What a transition did, for the history.
struct Note {
    std::string event, step, detail;
};

/// Keeps a saga that cannot go on, visible, until somebody decides.
void park(Instance& saga, std::string reason, std::vector<Note>& notes);

/// The transitions of one saga: a state machine without I/O, over its row. What it did is in the notes, for the
/// history. Thread-safety: none.
class Transition {
public:
    /// random: jitters the waits.
    Transition(const detail::Plan& plan, Instance& instance, Timestamp now, std::uint64_t random)
        : plan_(plan), saga_(instance), now_(now), random_(random) {}

    /// A fresh saga comes to its first step.
    void begin();
    /// It is due: carries out what was asked, notices that a time is over. Afterwards it waits, or has ended, or its
    /// command is to be sent now.
    void come_due();
    /// The outcome of the current command.
    void take(Outcome outcome);
    /// It cannot go on: kept, visible, until somebody decides.
    void park(std::string reason) { saga::park(saga_, std::move(reason), notes); }
    /// Its command, an event, leaves in this commit.
    void sent_as_event();

    /// The current command is to be sent at once.
    bool sends() const { return saga_.active() && saga_.waits == Waits::send && saga_.due_at && *saga_.due_at <= now_; }
    /// Of the current command. Requires: the saga is active.
    const detail::PlannedStep& step() const { return plan_.steps[plan_.index_of(saga_.step)]; }
    const detail::Act& act() const { return saga_.direction == Direction::forward ? *step().act : *step().undo; }

    /// It began to undo what was done, and why.
    bool failed() const { return failed_; }
    std::vector<Note> notes;
    std::optional<Error> refusal; ///< what a participant has said that refused a step

private:
    void carry_out_asked();
    void done(Outcome outcome);
    void refused(Outcome outcome);
    void unknown(Outcome outcome);
    void go_to(const detail::PlannedStep& step);
    void next_forward();
    void next_undo();
    void compensate(std::string reason);
    void give_up_forward(std::string reason);
    void finish(Status status);
    void progressed();
    void note(std::string event, std::string detail = {});
    Duration backoff(const StepOptions& options, Duration at_least) const;
    bool past_deadline() const { return saga_.deadline && *saga_.deadline <= now_; }
    bool before_pivot() const { return saga_.direction == Direction::forward && !saga_.past_pivot; }

    const detail::Plan& plan_;
    Instance& saga_;
    const Timestamp now_;
    const std::uint64_t random_;
    bool failed_ = false;
};

} // namespace flotilla::saga
