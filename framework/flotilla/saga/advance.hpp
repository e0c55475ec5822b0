#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/saga/instance.hpp>
#include <flotilla/saga/sagas.hpp>
#include <flotilla/saga/transition.hpp>
#include <flotilla/store/transaction.hpp>

namespace flotilla::saga {

/// A saga, and what has happened to it.
struct Occasion {
    Instance saga;                            ///< as its row was last seen
    std::shared_ptr<const detail::Plan> plan; ///< null: this program has none
    std::shared_ptr<const detail::Family> family;
    std::optional<Outcome> outcome; ///< of its current command; else it is due
    /// Of local steps, by name, whose function has failed in this very transition: it is not called again.
    std::map<std::string, Outcome> local = {};
    Timestamp now;
    std::uint64_t random = 0;
    std::int64_t epoch = 0; ///< of the role's holder
};

/// What has become of it.
struct Advanced {
    Instance saga;
    bool calls = false;         ///< its command is a call, which is to be made now
    std::optional<Note> failed; ///< it began to undo what was done
    std::vector<Note> notes;
    std::optional<Error> refusal; ///< what a participant has said that refused a step
};

/// A transition as a transaction body: what has happened, the local steps and events that follow from it, up to the
/// next call, wait or end; the row, its history and the service's own rows. One that somebody else has moved meanwhile
/// ends the transaction (table::kMoved).
class Advance {
public:
    /// local_failure: where the error of a local step's function goes, for which the transaction is to be tried again.
    struct LocalFailure {
        std::string step;
        std::optional<Error> error;
    };
    Advance(std::shared_ptr<const Occasion> occasion, std::shared_ptr<LocalFailure> local_failure)
        : occasion_(std::move(occasion)), local_failure_(std::move(local_failure)) {}

    Result<Advanced> operator()(Transaction& transaction) const;

private:
    void go_on(Transaction& transaction, Transition& transition, Advanced& advanced) const;
    bool run_local(Transaction& transaction, Transition& transition, Instance& saga) const;
    void tell(Transaction& transaction, const Advanced& advanced) const;

    std::shared_ptr<const Occasion> occasion_;
    std::shared_ptr<LocalFailure> local_failure_;
};

/// Its current command is a call that is to be made when it is due.
bool awaits_call(const Occasion& occasion);
/// It is due now, and nothing is to be noted before.
bool calls_at_once(const Occasion& occasion);

} // namespace flotilla::saga
