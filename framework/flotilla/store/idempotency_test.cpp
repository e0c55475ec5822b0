#include <flotilla/store/idempotency.hpp>

#include <flotilla/store/test_database.hpp>

namespace flotilla::idempotency_test {
namespace {

using test::TestDatabase;
using test::value;

struct Order {
    std::string id;
    Money total;
};

constexpr Table<Order> orders_table{"orders"};

class IdempotencyTest : public testing::Test {
protected:
    void SetUp() override {
        store.create_framework_tables();
        value(store.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, total BIGINT)"));
    }
    static IdempotentRequest request(std::string hash = "hash-1") {
        return {.endpoint = "POST /orders", .caller = "me", .key = "k-1", .request_hash = std::move(hash)};
    }
    Result<Recorded<Order>> place(Context& context) {
        return store.loop().run_until_done(store.database().answer(context, &insert_order));
    }
    static Order insert_order(Transaction& tx) {
        const Order order{tx.new_id(), Money::from_cents(500)};
        tx.insert(orders_table, order);
        return order;
    }
    Result<Recorded<Order>> place(IdempotentRequest& idempotent) {
        Context context(store.world());
        const Carried carried(context, idempotent);
        return place(context);
    }
    Result<std::optional<std::string>> recorded(const IdempotentRequest& idempotent) {
        Context context(store.world());
        auto found = store.loop().run_until_done(find_recorded_response(context, store.database(), idempotent));
        if (!found) return std::move(found.error());
        return *found ? std::optional((*found)->json) : std::nullopt;
    }
    std::int64_t orders() { return *value(store.find<std::int64_t>("SELECT count(*) FROM orders")); }

    TestDatabase store;
};

// Goal: the response is in the commit that made it, and a repeated request gets it instead of a second effect.
TEST_F(IdempotencyTest, RepeatRequestGivesTheFirstResponse) {
    auto first_request = request();
    EXPECT_EQ(value(recorded(first_request)), std::nullopt);
    const auto first = value(place(first_request));
    EXPECT_TRUE(first_request.recorded);
    EXPECT_EQ(value(recorded(request())), first.json());
    EXPECT_EQ(first.json(), json::write(first.value()));

    // As when both were under way and neither saw the other's record beforehand.
    auto second_request = request();
    const auto second = value(place(second_request));
    EXPECT_EQ(second.value().id, first.value().id);
    EXPECT_EQ(second.json(), first.json());
    EXPECT_EQ(orders(), 1);
}

// Goal: with the answer's text its version is recorded, and both come back, whoever asks.
TEST_F(IdempotencyTest, VersionIsRecordedWithTheResponse) {
    const auto answer = [&](IdempotentRequest& idempotent) {
        Context context(store.world());
        const Carried carried(context, idempotent);
        return value(store.loop().run_until_done(store.database().answer(context, [](Transaction& tx) {
            return tx.changed({}, 6, Versioned<Order>{{tx.new_id(), Money::from_cents(500)}, 7});
        })));
    };
    auto first_request = request(), second_request = request();
    const auto first = answer(first_request), second = answer(second_request);
    EXPECT_EQ(first.json(), json::write(first.value().value())) << "the resource alone";
    EXPECT_EQ(second.json(), first.json());
    EXPECT_EQ(second.value().value().id, first.value().value().id);
    EXPECT_EQ(second.value().version(), 7);
    Context context(store.world());
    const auto found = value(store.loop().run_until_done(find_recorded_response(context, store.database(), request())));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->version, 7);
}

// Goal: without a key nothing is written down, nor made into text.
TEST_F(IdempotencyTest, AnswerWithoutKeyIsNotRecorded) {
    Context context(store.world());
    EXPECT_EQ(value(place(context)).json(), "");
    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM flotilla_idempotency")), 0);
}

// Goal: a key belongs to one request; with another body it is refused, before and inside the transaction.
TEST_F(IdempotencyTest, ReuseKeyForOtherRequestIsUnprocessable) {
    auto first = request();
    value(place(first));
    auto other = request("hash-2");
    EXPECT_EQ(recorded(other).error().code(), "idempotency_key_reused");
    const auto outcome = place(other);
    EXPECT_EQ(outcome.error().kind(), Kind::unprocessable);
    EXPECT_EQ(outcome.error().code(), "idempotency_key_reused");
    EXPECT_FALSE(other.recorded);
    EXPECT_EQ(orders(), 1);
}

// Goal: keys of different callers and endpoints are different keys.
TEST_F(IdempotencyTest, SameKeyOfOtherCallerIsAnotherRequest) {
    auto first = request();
    value(place(first));
    auto other_caller = request();
    other_caller.caller = "you";
    value(place(other_caller));
    auto other_endpoint = request();
    other_endpoint.endpoint = "POST /returns";
    value(place(other_endpoint));
    EXPECT_EQ(orders(), 3);
}

// Goal: a transaction that fails records nothing, so that the request can be tried again.
TEST_F(IdempotencyTest, FailTransactionRecordsNothing) {
    auto failing = request();
    Context context(store.world());
    const Carried carried(context, failing);
    const auto outcome = store.loop().run_until_done(store.database().answer(
        context, [](Transaction&) -> Result<Order> { return Error(Kind::conflict, "out_of_stock", "Out of stock"); }));
    EXPECT_FALSE(outcome);
    EXPECT_FALSE(failing.recorded);
    EXPECT_EQ(value(recorded(failing)), std::nullopt);
    value(place(context));
    EXPECT_EQ(orders(), 1);
}

// Goal: only the transaction that answers records, and a later one still runs.
TEST_F(IdempotencyTest, RunOtherTransactionsRecordsOnlyTheResponse) {
    auto idempotent = request();
    Context context(store.world());
    const Carried carried(context, idempotent);
    value(store.loop().run_until_done(store.database().transact(
        context, [](Transaction&) -> Result<Order> { return Order{"aside", Money::from_cents(1)}; })));
    EXPECT_FALSE(idempotent.recorded);
    const auto first = value(place(context));
    const auto later = value(place(context));
    EXPECT_NE(first.value().id, later.value().id);
    EXPECT_EQ(value(recorded(idempotent)), first.json());
}

// Goal: of two answers that are under way at once one records, and both are done.
TEST_F(IdempotencyTest, AnswersUnderWayAtOnceAreBothDone) {
    auto idempotent = request();
    Context context(store.world());
    const Carried carried(context, idempotent);
    auto first = store.database().answer(context, &insert_order);
    auto second = store.database().answer(context, &insert_order);
    const auto recording = value(store.loop().run_until_done(std::move(first)));
    EXPECT_EQ(value(store.loop().run_until_done(std::move(second))).json(), "");
    EXPECT_EQ(orders(), 2);
    EXPECT_EQ(value(recorded(idempotent)), recording.json());
}

// Goal: old records go, young ones stay.
TEST_F(IdempotencyTest, ForgetRemovesOnlyOldRecords) {
    value(store.transact([](Transaction& tx) -> Result<std::int64_t> {
        return tx.execute("INSERT INTO flotilla_idempotency WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                          "FROM n WHERE i < 2500) "
                          "SELECT 'POST /orders', 'me', 'old-' || i, 'h', '{}', $1, NULL FROM n",
                          tx.now() - std::chrono::hours(25));
    }));
    auto young = request();
    value(place(young));
    Context context(store.world());
    EXPECT_EQ(
        store.loop().run_until_done(forget_recorded_responses(context, store.take_role(), std::chrono::hours(24))),
        2500);
    EXPECT_TRUE(value(recorded(young)));
}

} // namespace
} // namespace flotilla::idempotency_test
