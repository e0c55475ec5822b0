#pragma once

#include <string>

#include <flotilla/observe/log.hpp>
#include <flotilla/service/request/http_edge.hpp>
#include <flotilla/service/request/requests_in_flight.hpp>
#include <flotilla/store/database.hpp>

namespace flotilla {

/// Calls endpoints once per Idempotency-Key: what was answered is answered again; what is being handled is a conflict;
/// a key with another request is refused. The method's answer is recorded in the commit that made it
/// (Database::answer). Thread-safety: none; one per loop, over the process' requests in flight.
class IdempotencyKeys {
public:
    IdempotencyKeys(RequestsInFlight& in_flight, const Logger& log) : in_flight_(in_flight), log_(log) {}
    /// Where answers are recorded. Requires: before call().
    void use_database(Database& database) { database_ = &database; }

    /// Errors: invalid `invalid_idempotency_key`, conflict `idempotency_key_in_use`, unprocessable
    /// `idempotency_key_reused`, and those of the endpoint, which are not recorded.
    task<Result<void>> call(Context& context, EndpointCore& endpoint, HttpEdge& edge, std::string key);

private:
    RequestsInFlight& in_flight_;
    const Logger log_;
    Database* database_ = nullptr;
};

} // namespace flotilla
