#pragma once

#include <map>
#include <memory>
#include <string>

#include <flotilla/http/exchange.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/resilience/targets.hpp>

#include "gateway/core/forwarding.hpp"
#include "gateway/core/route_table.hpp"

namespace flotilla::gateway {

/// Answers one request from several services: {"user": <body>, "orders": <body>}, bodies embedded as the services wrote
/// them, or with the answer of the branch that is the `result`. Branches are called in parallel; one that refers to
/// earlier answers after these, and one that writes after all above it (Branch::stage).
/// A branch has succeeded when it answered 2xx with valid JSON (or nothing, which becomes null) that is as expected. A
/// required branch that fails ends the whole, and what comes after it is not called: its own answer for a 4xx, that of
/// the expectation, otherwise the composition's `on_failure` or 502, 503, 504. An optional branch that fails becomes
/// null and is listed in the member `degraded`. A branch that writes gets the client's Idempotency-Key with its name
/// behind it, and is tried again only with one, or where its method is idempotent. What was written stays when a later
/// branch fails; the log says so. A branch with a fallback that fails (but by a 4xx) is answered with its last good
/// answer to such a request, while that is young enough: the branch is listed in the member `stale`, and the field Age
/// says how old the oldest is. Thread-safety: none; one per loop.
class Composer {
public:
    Composer(Targets& targets, Telemetry& telemetry, std::uint64_t body_bytes_max);
    ~Composer();

    /// The status that was sent. Errors: what to answer, nothing has been sent then; `cancelled` when the client has
    /// gone.
    task<Result<int>> answer(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                             const CompositionAction& action);

private:
    struct Outcome;
    struct Call;
    struct Kept;

    task<Result<void>> read_body(Context& context, Call& call);
    task<Result<int>> respond(Context& context, Call& call);
    task<void> run(Context& context, Call& call, std::size_t index);
    task<Result<http::Response>> ask_or_recall(Context& context, const Call& call, const Branch& branch,
                                               Outcome& outcome);
    task<Result<http::Response>> ask(Context& context, const Call& call, const Branch& branch);
    task<Result<http::Response>> fetch(Context& context, const Call& call, const Branch& branch);
    task<Result<int>> respond_failed(Context& context, const Call& call);
    Result<void> check_json(const std::string& body, const Branch& branch);
    void tell_what_stays(const Context& context, const Call& call);

    Targets& targets_;
    Telemetry& telemetry_;
    std::uint64_t body_bytes_max_;
    struct Json;
    std::unique_ptr<Json> json_;
    std::map<const Branch*, Kept> kept_;
};

} // namespace flotilla::gateway
