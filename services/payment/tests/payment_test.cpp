#include "services/payment/payment.hpp"

#include <filesystem>
#include <map>
#include <random>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/payment/api/payment.hpp"

namespace payment::payment_test {
namespace {

using namespace flotilla;
using Settings = std::map<std::string, std::string, std::less<>>;

/// The provider's timeout is short, and no job comes in between.
Settings impatient() { return {{"provider_timeout_ms", "30"}, {"settle_after_ms", "600000"}}; }

boost::json::object order(const std::string& id, double amount, const char* card = "card_ok") {
    return {{"orderId", id}, {"userId", "u-1"}, {"amount", amount}, {"paymentMethod", card}};
}

std::string text(const TestResponse& answer, const char* member) {
    const auto json = answer.json();
    const auto* value = json.as_object().if_contains(member);
    return value ? std::string(value->as_string()) : "";
}
std::string status(const TestResponse& answer) { return text(answer, "status"); }
std::string code(const TestResponse& answer) { return text(answer, "code"); }

/// A folder that outlives a TestService, and what is in its database.
class Folder {
public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "flotilla-payment-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = pattern;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }

    /// Requires: the service has ended.
    std::vector<std::string> rows(const std::string& sql) const {
        std::string file;
        for (const auto& entry : std::filesystem::directory_iterator(path_))
            if (entry.path().extension() == ".db") file = entry.path().string();
        sqlite3* database = nullptr;
        EXPECT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
        std::vector<std::string> rows;
        const auto add = [](void* into, int columns, char** values, char**) {
            std::string row;
            for (int i = 0; i < columns; ++i)
                row += (i ? "|" : "") + std::string(values[i] ? values[i] : "");
            static_cast<std::vector<std::string>*>(into)->push_back(row);
            return 0;
        };
        EXPECT_EQ(sqlite3_exec(database, sql.c_str(), add, &rows, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
        sqlite3_close(database);
        return rows;
    }

private:
    std::string path_;
};

constexpr const char* kEffects =
    "SELECT operation, amount, made, coalesce(refused, '') FROM sandbox_effects ORDER BY rowid";

/// What the ledger's accounts must be, reckoned anew from all transfers, beside what they are.
void expect_ledger_adds_up(const Folder& folder) {
    const auto wrong =
        folder.rows("SELECT a.account, a.debits, a.credits FROM ledger_accounts AS a WHERE a.debits <> (SELECT "
                    "coalesce(sum(amount), 0) FROM ledger_transfers WHERE debit = a.account) OR a.credits <> (SELECT "
                    "coalesce(sum(amount), 0) FROM ledger_transfers WHERE credit = a.account)");
    EXPECT_EQ(wrong, std::vector<std::string>{});
    EXPECT_EQ(folder.rows("SELECT sum(debits) - sum(credits) FROM ledger_accounts"), std::vector<std::string>{"0"});
}

/// What the provider did is what the payments and the ledger say.
void expect_provider_agrees(const Folder& folder) {
    const auto did = [](const char* operation) {
        return std::string(
                   "(SELECT coalesce(sum(amount), 0) FROM sandbox_effects WHERE payment = order_id AND made AND "
                   "refused IS NULL AND operation = '") +
               operation + "')";
    };
    const auto wrong = folder.rows(
        "SELECT order_id, status, captured, refunded FROM payments WHERE operation IS NULL AND (captured <> " +
        did("CAPTURE") + " OR refunded <> " + did("REFUND") + " OR (held > 0) <> (" + did("AUTHORIZE") + " > 0 AND " +
        did("CAPTURE") + " = 0 AND " + did("VOID") + " = 0))");
    EXPECT_EQ(wrong, std::vector<std::string>{});
    EXPECT_EQ(folder.rows("SELECT sum(captured) - sum(refunded) FROM payments"),
              folder.rows("SELECT debits - credits FROM ledger_accounts WHERE account = 'PROVIDER_CLEARING'"));
    EXPECT_EQ(folder.rows("SELECT sum(held) FROM payments"),
              folder.rows("SELECT debits - credits FROM ledger_accounts WHERE account = 'CARD_HOLDS'"));
}

// Goal: an order's money is reserved, taken and billed, and everybody hears of it.
TEST(PaymentCapture, TakesTheMoneyAndIssuesTheInvoice) {
    TestService payments{install};
    auto request = order("o-1", 44.98);
    request["items"] = boost::json::array{{{"productId", "lamp"}, {"quantity", 2}, {"price", 19.99}},
                                          {{"productId", "rope"}, {"quantity", 1}, {"price", 5}}};
    const auto authorized = payments.post("/payments", request);
    ASSERT_EQ(authorized.status, 201) << authorized.body;
    EXPECT_EQ(status(authorized), "AUTHORIZED");
    const auto captured = payments.post("/payments/o-1/capture", nullptr);
    ASSERT_EQ(captured.status, 200) << captured.body;
    EXPECT_EQ(captured.json().at("captured"), 44.98);
    EXPECT_EQ(payments.get("/payments/o-1").body, captured.body);

    EXPECT_EQ(text(captured, "invoiceId"), "0000000001");
    const auto invoice = payments.get("/invoices/0000000001");
    ASSERT_EQ(invoice.status, 200) << invoice.body;
    EXPECT_EQ(text(invoice, "orderId"), "o-1");
    EXPECT_EQ(text(invoice, "kind"), "INVOICE");
    EXPECT_EQ(invoice.json().at("total"), 44.98);
    EXPECT_EQ(invoice.json().at("lines").at(0).at("quantity"), 2);
    EXPECT_EQ(payments.get("/invoices?userId=u-1").body, R"({"items":[)" + invoice.body + "]}");

    const std::string moved = R"({"orderId":"o-1","userId":"u-1","amount":44.98})";
    EXPECT_EQ(payments.next_event("payment.authorized").payload, moved);
    EXPECT_EQ(payments.next_event("payment.captured").payload, moved);
    EXPECT_EQ(payments.next_event("invoice.issued").payload,
              R"({"orderId":"o-1","userId":"u-1","invoiceId":"0000000001","kind":"INVOICE","total":44.98})");
    const auto ledger = payments.get("/ledger/accounts");
    EXPECT_TRUE(ledger.json().at("balanced").as_bool());
    EXPECT_TRUE(ledger.body.contains(R"({"account":"REVENUE","debits":0,"credits":44.98})")) << ledger.body;
    EXPECT_TRUE(ledger.body.contains(R"({"account":"CARD_HOLDS","debits":44.98,"credits":44.98})")) << ledger.body;
}

// Goal: a card without money is refused for good, and its cancellation has nothing to do.
TEST(PaymentAuthorize, DeclinedCardsAreRefusedForGood) {
    TestService payments{install};
    const auto declined = payments.post("/payments", order("o-1", 5, "card_insufficient_funds"));
    EXPECT_EQ(declined.status, 409) << declined.body;
    EXPECT_EQ(code(declined), "payment_declined");
    EXPECT_EQ(code(payments.post("/payments", order("o-1", 5, "card_insufficient_funds"))), "payment_declined");
    EXPECT_EQ(code(payments.post("/payments/o-1/capture", nullptr)), "payment_declined");
    EXPECT_EQ(text(payments.get("/payments/o-1"), "reason"), "insufficient_funds");
    EXPECT_EQ(status(payments.post("/payments/o-1/cancel", nullptr)), "DECLINED");
    EXPECT_EQ(payments.next_event("payment.declined").payload,
              R"({"orderId":"o-1","userId":"u-1","amount":5,"reason":"insufficient_funds"})");
    EXPECT_EQ(code(payments.post("/payments", order("o-2", 5, "card_unheard_of"))), "payment_declined");
}

// Goal: what is repeated without a record of it is answered by the payment's state, and nothing happens twice.
TEST(PaymentAuthorize, RepeatedCommandsAreAnsweredByTheState) {
    Folder folder;
    {
        TestService payments{install, {.data = folder.path()}};
        const auto first = payments.post("/payments", order("o-1", 5, "card_twice"));
        EXPECT_EQ(payments.post("/payments", order("o-1", 5, "card_twice")).body, first.body);
        EXPECT_EQ(code(payments.post("/payments", order("o-1", 6))), "payment_exists");
        const auto captured = payments.post("/payments/o-1/capture", nullptr);
        EXPECT_EQ(payments.post("/payments/o-1/capture", nullptr).body, captured.body);
        EXPECT_EQ(payments.post("/payments", order("o-1", 5, "card_twice")).status, 201);
        EXPECT_EQ(payments.get("/invoices/0000000002").status, 404);
    }
    EXPECT_EQ(folder.rows(kEffects), (std::vector<std::string>{"AUTHORIZE|500|1|", "CAPTURE|500|1|"}));
    EXPECT_EQ(folder.rows("SELECT asked FROM sandbox_effects"), (std::vector<std::string>{"2", "2"}));
    expect_ledger_adds_up(folder);
}

// Goal: an answer that is lost leaves the payment unknown until somebody looks; it is charged once.
TEST(PaymentUnknown, LostAnswersAreFoundOut) {
    Folder folder;
    {
        TestService payments{install, {.settings = impatient(), .data = folder.path()}};
        const auto lost = payments.post("/payments", order("o-1", 5, "card_lost_answer"), idempotency_key("k"));
        EXPECT_EQ(lost.status, 503) << lost.body;
        EXPECT_EQ(code(lost), "payment_unknown");
        EXPECT_TRUE(lost.headers.contains("retry-after"));
        EXPECT_EQ(status(payments.get("/payments/o-1")), "AUTHORIZING");
        EXPECT_EQ(payments.post("/payments", order("o-1", 5, "card_lost_answer"), idempotency_key("k")).status, 201);
        EXPECT_EQ(payments.post("/payments/o-1/capture", nullptr).status, 503);
        EXPECT_EQ(status(payments.post("/payments/o-1/capture", nullptr)), "CAPTURED");
        EXPECT_EQ(payments.post("/payments/o-1/refund", {{"amount", 2}}, idempotency_key("r")).status, 503);
        const auto given_back = payments.post("/payments/o-1/refund", {{"amount", 2}}, idempotency_key("r"));
        EXPECT_EQ(given_back.json().at("refunded"), 2);
    }
    EXPECT_EQ(folder.rows(kEffects), (std::vector<std::string>{"AUTHORIZE|500|1|", "CAPTURE|500|1|", "REFUND|200|1|"}));
    expect_provider_agrees(folder);
}

// Goal: cancelling resolves an authorization of which nobody knows whether it happened; one that comes late is refused.
TEST(PaymentUnknown, CancellingVoidsWhatMayHaveHappened) {
    Folder folder;
    {
        TestService payments{install, {.settings = impatient(), .data = folder.path()}};
        for (const std::string card : {"card_lost_request", "card_lost_answer"}) {
            EXPECT_EQ(payments.post("/payments", order(card, 5, card.c_str())).status, 503);
            auto cancelled = payments.post("/payments/" + card + "/cancel", nullptr);
            if (cancelled.status == 503) cancelled = payments.post("/payments/" + card + "/cancel", nullptr);
            EXPECT_EQ(status(cancelled), "CANCELLED") << cancelled.body;
            EXPECT_EQ(code(payments.post("/payments", order(card, 5, card.c_str()))), "payment_cancelled");
            EXPECT_EQ(code(payments.post("/payments/" + card + "/capture", nullptr)), "payment_cancelled");
        }
    }
    EXPECT_EQ(folder.rows(kEffects), (std::vector<std::string>{"VOID|500|1|", "AUTHORIZE|500|1|", "VOID|500|1|"}));
    expect_provider_agrees(folder);
}

// Goal: a cancellation of what never happened is noted, and refuses the command it has overtaken.
TEST(PaymentCancel, TombstoneRefusesALateAuthorization) {
    TestService payments{install};
    const auto cancelled = payments.post("/payments/o-9/cancel", nullptr);
    ASSERT_EQ(cancelled.status, 200) << cancelled.body;
    EXPECT_EQ(status(cancelled), "CANCELLED");
    EXPECT_EQ(payments.post("/payments/o-9/cancel", nullptr).body, cancelled.body);
    const auto late = payments.post("/payments", order("o-9", 5));
    EXPECT_EQ(late.status, 409);
    EXPECT_EQ(code(late), "payment_cancelled");
    EXPECT_EQ(code(payments.post("/payments/o-8/capture", nullptr)), "payment_not_found");
    EXPECT_EQ(payments.get("/payments/o-8").status, 404);
}

// Goal: what a request leaves open is finished without anybody asking.
TEST(PaymentUnknown, AJobFinishesWhatWasLeftOpen) {
    Folder folder;
    {
        auto settings = impatient();
        settings["settle_after_ms"] = "100";
        TestService payments{install, {.settings = settings, .data = folder.path()}};
        EXPECT_EQ(payments.post("/payments", order("o-1", 5, "card_flaky")).status, 503);
        EXPECT_EQ(payments.post("/payments", order("o-2", 5, "card_lost_answer")).status, 503);
        EXPECT_TRUE(eventually([&] { return status(payments.get("/payments/o-1")) == "AUTHORIZED"; }));
        EXPECT_TRUE(eventually([&] { return status(payments.get("/payments/o-2")) == "AUTHORIZED"; }));
    }
    expect_provider_agrees(folder);
    expect_ledger_adds_up(folder);
}

// Goal: each key is one refund, also when the record of its answer is gone; together they are what was captured at
// most.
TEST(PaymentRefund, EachKeyIsOneRefund) {
    Folder folder;
    std::string first;
    const boost::json::value two{{"amount", 2}};
    {
        TestService payments{install, {.data = folder.path()}};
        payments.post("/payments", order("o-1", 5));
        EXPECT_EQ(code(payments.post("/payments/o-1/refund", two)), "payment_not_captured");
        payments.post("/payments/o-1/capture", nullptr);
        first = payments.post("/payments/o-1/refund", two, idempotency_key("r-1")).body;
        EXPECT_EQ(payments.post("/payments/o-1/refund", two, idempotency_key("r-1")).body, first);
    }
    const auto forget = [](Transaction& tx) -> Result<void> {
        tx.execute(Statement<>{"DELETE FROM flotilla_idempotency"});
        return {};
    };
    {
        TestService payments{install, {.seed = forget, .data = folder.path()}};
        EXPECT_EQ(payments.post("/payments/o-1/refund", two, idempotency_key("r-1")).body, first);
        EXPECT_EQ(code(payments.post("/payments/o-1/refund", {{"amount", 3.01}})), "refund_exceeds");
        EXPECT_EQ(code(payments.post("/payments/o-1/refund", {{"amount", 0}})), "amount_out_of_range");
        const auto rest = payments.post("/payments/o-1/refund", boost::json::object{});
        EXPECT_EQ(status(rest), "REFUNDED") << rest.body;
        EXPECT_EQ(payments.post("/payments/o-1/refund", boost::json::object{}).body, rest.body);
        const auto note = payments.get("/invoices/0000000003");
        EXPECT_EQ(text(note, "kind"), "CREDIT_NOTE") << note.body;
        EXPECT_EQ(text(note, "corrects"), "0000000001");
        EXPECT_EQ(note.json().at("total"), 3);
        const auto page = payments.get("/invoices?userId=u-1&limit=2");
        EXPECT_EQ(text(page, "next"), "0000000002");
        EXPECT_EQ(payments.get("/invoices?userId=u-1&after=0000000002").body, R"({"items":[)" + note.body + "]}");
    }
    EXPECT_EQ(folder.rows(kEffects),
              (std::vector<std::string>{"AUTHORIZE|500|1|", "CAPTURE|500|1|", "REFUND|200|1|", "REFUND|300|1|"}));
    expect_ledger_adds_up(folder);
}

// Goal: cancelling gives back what was taken, less what was given back before.
TEST(PaymentCancel, GivesBackWhatWasCaptured) {
    Folder folder;
    {
        TestService payments{install, {.data = folder.path()}};
        payments.post("/payments", order("o-1", 5));
        payments.post("/payments/o-1/capture", nullptr);
        payments.post("/payments/o-1/refund", {{"amount", 2}});
        const auto cancelled = payments.post("/payments/o-1/cancel", nullptr);
        EXPECT_EQ(status(cancelled), "CANCELLED") << cancelled.body;
        EXPECT_EQ(cancelled.json().at("refunded"), 5);
        EXPECT_EQ(payments.next_event("payment.refunded").payload, R"({"orderId":"o-1","userId":"u-1","amount":2})");
        EXPECT_EQ(payments.next_event("payment.refunded").payload, R"({"orderId":"o-1","userId":"u-1","amount":3})");
        EXPECT_EQ(payments.next_event("payment.cancelled").payload, R"({"orderId":"o-1","userId":"u-1","amount":5})");
    }
    expect_provider_agrees(folder);
}

// Goal: a card becomes a token that behaves as the card does.
TEST(PaymentCard, TokenBehavesAsTheCard) {
    TestService payments{install};
    const auto add = [&](const char* number) {
        return payments.post("/cards", {{"number", number}, {"expiry", "12/49"}, {"cvc", "123"}});
    };
    const auto good = add("4242 4242 4242 4242");
    ASSERT_EQ(good.status, 201) << good.body;
    EXPECT_EQ(text(good, "brand"), "visa");
    EXPECT_EQ(text(good, "last4"), "4242");
    EXPECT_EQ(payments.post("/payments", order("o-1", 5, text(good, "token").c_str())).status, 201);
    EXPECT_EQ(code(payments.post("/payments", order("o-2", 5, text(add("4000000000000002"), "token").c_str()))),
              "payment_declined");
    EXPECT_EQ(payments.post("/payments", order("o-3", 5, text(add("5555555555554444"), "token").c_str())).status, 201);
}

// Goal: after any commands in any order, with answers lost on the way, the books balance and say what the provider did.
TEST(PaymentLedger, BalancesAfterAnything) {
    std::mt19937 draw(7);
    const std::vector<const char*> cards{"card_ok", "card_twice", "card_lost_answer", "card_flaky", "card_declined"};
    Folder folder;
    {
        auto settings = impatient();
        settings["provider_timeout_ms"] = "5";
        settings["settle_after_ms"] = "20"; // beside the requests
        TestService payments{install, {.settings = settings, .data = folder.path()}};
        for (int i = 0; i < 400; ++i) {
            const auto number = draw() % 20;
            const auto path = "/payments/o-" + std::to_string(number);
            const auto action = draw() % 8;
            TestResponse answer;
            if (action < 3)
                answer = payments.post("/payments", order("o-" + std::to_string(number), 10, cards[number % 5]));
            else if (action < 5)
                answer = payments.post(path + "/capture", nullptr);
            else if (action < 7)
                answer = payments.post(path + "/refund", {{"amount", 1 + static_cast<int>(draw() % 4)}});
            else if (draw() % 3 == 0)
                answer = payments.post(path + "/cancel", nullptr);
            ASSERT_TRUE(answer.status < 500 || answer.status == 503) << answer.body;
            if (i % 50 == 0) {
                ASSERT_TRUE(payments.get("/ledger/accounts").json().at("balanced").as_bool());
            }
        }
        EXPECT_TRUE(eventually([&] {
            for (int number = 0; number < 20; ++number)
                if (status(payments.get("/payments/o-" + std::to_string(number))).ends_with("ING")) return false;
            return true;
        }));
    }
    expect_ledger_adds_up(folder);
    expect_provider_agrees(folder);
    EXPECT_NE(folder.rows("SELECT count(*) FROM payments WHERE refunded > 0"), std::vector<std::string>{"0"});
    EXPECT_EQ(folder.rows("SELECT max(CAST(id AS INTEGER)) - count(*) FROM invoices"), std::vector<std::string>{"0"});
}

} // namespace
} // namespace payment::payment_test
