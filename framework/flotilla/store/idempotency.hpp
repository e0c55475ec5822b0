#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <flotilla/aio/context.hpp>

namespace flotilla {

class Database;
class Tenure;
class Transaction;

/// A request that came with an Idempotency-Key. Whoever takes it in hangs it on the request's Context
/// (Carried<IdempotentRequest>), where Database::answer() finds it and stores `(endpoint, caller, key, request hash,
/// response)` in the commit that produces the response.
struct IdempotentRequest {
    std::string endpoint; ///< "POST /orders"
    std::string caller;   ///< principal's subject, or empty
    std::string key;
    std::string request_hash; ///< of the canonical request
    bool claimed = false;     ///< a transaction is to record the response: no other does
    bool recorded = false;    ///< set once the response is in a commit
};

/// A response as it stands in the record.
struct RecordedResponse {
    std::string json;
    std::optional<std::int64_t> version = {}; ///< of a versioned resource
};

/// The response of an endpoint that is declared idempotent. Only Database::answer() makes one: a method that forgets to
/// record its response does not compile.
template <class T>
class Recorded {
public:
    const T& value() const { return value_; }
    T& value() { return value_; }
    /// The response as JSON, as it stands in the record; empty when the request came without a key.
    const std::string& json() const { return json_; }
    std::string& json() { return json_; }

private:
    friend class Database;
    explicit Recorded(T value, std::string json = {}) : value_(std::move(value)), json_(std::move(json)) {}

    T value_;
    std::string json_;
};

/// The response stored for this key, if the request was already done.
/// Errors: unprocessable `idempotency_key_reused` when the key was used with another request.
task<Result<std::optional<RecordedResponse>>> find_recorded_response(Context& context, Database& database,
                                                                     const IdempotentRequest& request);
/// The same inside a transaction, which that error ends: what was recorded meanwhile.
std::optional<RecordedResponse> find_recorded_response(Transaction& transaction, const IdempotentRequest& request);

/// Stores the response, as the last statement of the transaction that produced it.
void record_response(Transaction& transaction, const IdempotentRequest& request, const RecordedResponse& response);

/// Removes records older than `age` (24 h in the host). Returns how many.
task<Result<std::int64_t>> forget_recorded_responses(Context& context, Tenure& tenure, Duration age);

} // namespace flotilla
