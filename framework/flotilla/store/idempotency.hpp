#pragma once

#include <optional>
#include <string>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/descriptor.hpp>

namespace flotilla {

class Database;
class Tenure;

/// A request that carries an Idempotency-Key, hung on its Context by the host. The transaction that produces the
/// response stores `(endpoint, caller, key, request hash, response)` in its own commit.
struct IdempotentRequest {
    std::string endpoint; ///< "POST /orders"
    std::string caller;   ///< principal's subject, or empty
    std::string key;
    std::string request_hash;                 ///< of the canonical request
    const TypeDescriptor* response = nullptr; ///< the transaction whose result has this type is the one that records
    bool recorded = false;                    ///< set once the response is in the commit
};

/// The response body (JSON) stored for this key, if the request was already done.
/// Errors: unprocessable `idempotency_key_reused` when the key was used with another request.
task<Result<std::optional<std::string>>> find_recorded_response(Context& context, Database& database,
                                                                const IdempotentRequest& request);

/// Removes records older than `age` (24 h in the host). Returns how many.
task<Result<std::int64_t>> forget_recorded_responses(Context& context, Tenure& tenure, Duration age);

} // namespace flotilla
