#include <flotilla/store/idempotency.hpp>

#include <flotilla/store/role.hpp>

namespace flotilla {
namespace {

struct Record {
    std::string request_hash, response;
    std::optional<std::int64_t> version;
};

constexpr Query<Record, std::string, std::string, std::string> kFind{
    "SELECT request_hash, response, version FROM flotilla_idempotency WHERE endpoint = $1 AND caller = $2 AND key = "
    "$3"};
constexpr Statement<std::string, std::string, std::string, std::string, std::string, std::optional<std::int64_t>,
                    Timestamp>
    kRecord{"INSERT INTO flotilla_idempotency (endpoint, caller, key, request_hash, response, version, recorded_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)"};
/// A few at a time, so that no other transaction waits long.
constexpr Statement<Timestamp> kForget{
    "DELETE FROM flotilla_idempotency WHERE (endpoint, caller, key) IN (SELECT endpoint, caller, key "
    "FROM flotilla_idempotency WHERE recorded_at < $1 ORDER BY recorded_at LIMIT 200)"};

Result<std::optional<RecordedResponse>> response_of(std::optional<Record> found, const IdempotentRequest& request) {
    if (!found) return std::optional<RecordedResponse>();
    if (found->request_hash != request.request_hash) {
        return Error(Kind::unprocessable, "idempotency_key_reused",
                     "This Idempotency-Key was used with another request");
    }
    return std::optional(RecordedResponse{std::move(found->response), found->version});
}

} // namespace

task<Result<std::optional<RecordedResponse>>> find_recorded_response(Context& context, Database& database,
                                                                     const IdempotentRequest& request) {
    auto found = co_await must(database.find(context, kFind, request.endpoint, request.caller, request.key));
    co_return response_of(std::move(found), request);
}

std::optional<RecordedResponse> find_recorded_response(Transaction& transaction, const IdempotentRequest& request) {
    auto response = response_of(transaction.find(kFind, request.endpoint, request.caller, request.key), request);
    if (response) return std::move(*response);
    transaction.fail(std::move(response.error()));
    return {};
}

void record_response(Transaction& transaction, const IdempotentRequest& request, const RecordedResponse& response) {
    transaction.execute(kRecord, request.endpoint, request.caller, request.key, request.request_hash, response.json,
                        response.version, transaction.now());
}

task<Result<std::int64_t>> forget_recorded_responses(Context& context, Tenure& tenure, Duration age) {
    const Timestamp before = context.world().now() - age;
    std::int64_t total = 0;
    while (true) {
        const auto removed = co_await must(tenure.transact(
            context, [before](Transaction& transaction) { return transaction.execute(kForget, before); }));
        if (removed == 0) co_return total;
        total += removed;
    }
}

} // namespace flotilla
