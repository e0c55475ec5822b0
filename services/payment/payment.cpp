#include "services/payment/payment.hpp"

#include <flotilla/contract/page.hpp>
#include <services/payment/migrations.hpp>

#include "services/payment/api/payment.hpp"
#include "services/payment/domain/card.hpp"
#include "services/payment/provider/sandbox_provider.hpp"
#include "services/payment/storage/books.hpp"
#include "services/payment/storage/payments.hpp"
#include "services/payment/storage/sandbox.hpp"

namespace payment {
namespace {

struct Settings {
    /// How long a request waits for the provider; what it did is unknown then.
    Bounded<int, 1, 60'000> provider_timeout_ms = 5'000;
    /// When a job looks after an operation that its request has left open.
    Bounded<int, 1, 600'000> settle_after_ms = 10'000;
};

struct SettleOperation {
    std::string order_id, operation;
};
inline constexpr Job<SettleOperation> settle_operation{"settle_operation"};

/// What is announced, in the transaction in which it happened.
struct Events {
    Publisher<PaymentMoved>& authorized;
    Publisher<PaymentDeclined>& declined;
    Publisher<PaymentMoved>& captured;
    Publisher<PaymentMoved>& cancelled;
    Publisher<PaymentMoved>& refunded;
    Publisher<InvoiceIssued>& invoice_issued;
};

class Payments {
public:
    Payments(Database& database, PaymentProvider& provider, Events events, Logger log, Settings settings)
        : database_(database), provider_(provider), events_(events), log_(std::move(log)), settings_(settings) {}

    task<Result<Recorded<Payment>>> authorize(Context& context, Authorize request) {
        return carry_out(context, {.command = Command::authorize, .order_id = request.order_id, .authorize = request});
    }
    task<Result<Recorded<Payment>>> capture(Context& context, PaymentId request) {
        return carry_out(context, {Command::capture, request.order_id});
    }
    task<Result<Recorded<Payment>>> cancel(Context& context, PaymentId request) {
        return carry_out(context, {Command::cancel, request.order_id});
    }
    task<Result<Recorded<Payment>>> refund(Context& context, Refund request) {
        const auto* keyed = context.carried<IdempotentRequest>();
        return carry_out(context, {Command::refund, request.order_id, request.amount,
                                   keyed ? std::optional(keyed->key) : std::nullopt});
    }
    task<Result<Payment>> get(Context& context, PaymentId request) {
        co_return shown(co_await must(database_.find(context, storage::payments, request.order_id.value()),
                                      or_none(payment_not_found)));
    }

    /// What a request has left open, because it was killed or the provider did not answer it.
    task<Result<void>> settle_later(Context& context, SettleOperation job, JobTry attempt) {
        const auto payment = co_await must(database_.find(context, storage::payments, job.order_id));
        if (!payment || payment->operation != job.operation) co_return Result<void>();
        const auto outcome = co_await must(ask(context, {*payment, Step::resume}));
        co_return co_await database_.transact(context, [=, this](Transaction& tx) -> Result<void> {
            attempt.done(tx);
            return settle(tx, *payment, outcome);
        });
    }

private:
    /// Three transactions: the intent, the provider's own, and the outcome with its answer.
    task<Result<Recorded<Payment>>> carry_out(Context& context, Wanted wanted) {
        const auto begin_it = [=, this](Transaction& tx) { return begin(tx, wanted); };
        auto begun = co_await must(database_.transact(context, begin_it));
        while (begun.step == Step::settle) {
            const auto outcome = co_await must(ask(context, begun));
            co_await must(note_outcome(context, begun.payment, outcome));
            begun = co_await must(database_.transact(context, begin_it));
        }
        std::optional<Outcome> outcome;
        if (begun.step != Step::done) outcome = co_await must(ask(context, begun));
        if (outcome && outcome->refused) { // an answer that is an error takes back what its transaction does
            co_await must(note_outcome(context, begun.payment, *outcome));
            outcome.reset();
        }
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Payment> {
            if (outcome) {
                if (auto done = settle(tx, begun.payment, *outcome); !done) return done.error();
            }
            return answer(tx, wanted);
        });
    }

    Result<Begun> begin(Transaction& tx, const Wanted& wanted) {
        const auto payment = tx.find(storage::payments, wanted.order_id);
        if (!payment) return begin_with_none(tx, wanted);
        if (wanted.authorize) {
            if (auto same = check_same(*payment, *wanted.authorize); !same) return same.error();
        }
        if (was_refunded(tx, wanted)) return Begun{*payment, Step::done};
        auto next = begun(*payment, wanted, tx.new_id());
        if (!next || next->step != Step::begin) return next;
        tx.update(storage::payments, next->payment);
        look_after(tx, next->payment);
        return next;
    }

    Result<Begun> begin_with_none(Transaction& tx, const Wanted& wanted) {
        if (wanted.command == Command::cancel) {
            const auto never = tombstone(wanted.order_id, tx.now());
            tx.insert(storage::payments, never);
            return Begun{never, Step::done};
        }
        if (!wanted.authorize) return payment_not_found;
        auto payment = drafted(*wanted.authorize, tx.now());
        if (!payment) return payment.error();
        tx.insert(storage::payments, *payment);
        look_after(tx, *payment);
        return Begun{std::move(*payment), Step::begin};
    }

    /// What the command comes to by the payment's state, which is beyond asking the provider.
    static Result<Payment> answer(Transaction& tx, const Wanted& wanted) {
        const auto payment = tx.find(storage::payments, wanted.order_id);
        if (!payment) return payment_not_found;
        if (wanted.command != Command::refund) {
            if (const auto& rule = rule_of(payment->status, wanted.command); rule.step == Step::refuse)
                return rule.refusal;
        }
        return shown(*payment);
    }

    static bool was_refunded(Transaction& tx, const Wanted& wanted) {
        return wanted.command == Command::refund && wanted.request_key &&
               tx.find(storage::refund_keys, wanted.order_id, *wanted.request_key);
    }

    void look_after(Transaction& tx, const PaymentRecord& payment) {
        enqueue(tx, settle_operation, {payment.order_id, *payment.operation},
                {.key = *payment.operation, .delay = std::chrono::milliseconds(settings_.settle_after_ms)});
    }

    task<Result<void>> note_outcome(Context& context, PaymentRecord asked, Outcome outcome) {
        return database_.transact(context, [=, this](Transaction& tx) { return settle(tx, asked, outcome); });
    }

    /// Notes what the provider did, with all that follows from it. Nothing, when that was noted meanwhile, or a
    /// cancellation has come before it.
    Result<void> settle(Transaction& tx, const PaymentRecord& asked, const Outcome& outcome) {
        const auto payment = tx.find(storage::payments, asked.order_id);
        if (!payment || payment->operation != asked.operation) return {};
        auto after = settled(*payment, outcome);
        if (!after) return after.error();
        int line = 0;
        for (const auto& fact : after->facts) {
            line = storage::post(tx, *asked.operation, asked.order_id, fact, line);
            announce(tx, after->payment, fact);
        }
        if (asked.request_key) tx.insert(storage::refund_keys, {asked.order_id, *asked.request_key});
        tx.update(storage::payments, after->payment);
        return {};
    }

    void announce(Transaction& tx, PaymentRecord& payment, const Fact& fact) {
        const auto& order_id = payment.order_id;
        const auto& user_id = payment.user_id;
        switch (fact.what) {
        case Fact::What::authorized:
            return events_.authorized.publish(tx, {order_id, user_id, fact.amount});
        case Fact::What::declined:
            return events_.declined.publish(tx, {order_id, user_id, fact.amount, payment.reason.value_or("")});
        case Fact::What::released:
            return;
        case Fact::What::captured:
            events_.captured.publish(tx, {order_id, user_id, fact.amount});
            payment.invoice_id = issue(tx, payment, fact);
            return;
        case Fact::What::refunded:
            events_.refunded.publish(tx, {order_id, user_id, fact.amount});
            issue(tx, payment, fact);
            return;
        case Fact::What::cancelled:
            return events_.cancelled.publish(tx, {order_id, user_id, fact.amount});
        }
    }

    std::string issue(Transaction& tx, const PaymentRecord& payment, const Fact& fact) {
        const auto document = storage::issue(tx, payment, fact);
        events_.invoice_issued.publish(
            tx, {document.order_id, document.user_id, document.id, document.kind, document.total});
        return document.id;
    }

    /// What was asked before may have been done: it is looked up, and asked again under its key if it was not. Errors:
    /// payment_unknown; provider_refused.
    task<Result<Outcome>> ask(Context& context, Begun begun) {
        const auto& payment = begun.payment;
        Context bounded(context, std::chrono::milliseconds(settings_.provider_timeout_ms));
        auto outcome = co_await ask_provider(bounded,
                                             {.key = *payment.operation,
                                              .payment = payment.order_id,
                                              .operation = operation_of(payment),
                                              .card = payment.payment_method,
                                              .amount = payment.operation_amount},
                                             begun.step != Step::begin);
        if (outcome) co_return outcome;
        log_.warning(context, "the payment provider has not answered",
                     {{"operation", *payment.operation}, {"error", outcome.error().message()}});
        co_return Error(payment_unknown).with_retry_after(std::chrono::seconds(1));
    }

    task<Result<Outcome>> ask_provider(Context& context, Ask ask, bool asked_before) {
        if (asked_before) {
            if (auto known = co_await must(provider_.look_up(context, ask.key))) co_return std::move(*known);
        }
        co_return co_await provider_.ask(context, std::move(ask));
    }

    Database& database_;
    PaymentProvider& provider_;
    Events events_;
    Logger log_;
    Settings settings_;
};

/// Cards, invoices and the ledger: what is looked at, and what never was here.
class Desk {
public:
    Desk(Database& database, PaymentProvider& provider) : database_(database), provider_(provider) {}

    task<Result<Card>> add_card(Context& context, AddCard request) {
        auto digits = co_await must(card_digits(request, context.world().now()));
        auto card = co_await provider_.tokenize(context, std::move(digits));
        if (!card) co_return Error(payment_unknown);
        co_return card;
    }
    task<Result<Invoice>> get_invoice(Context& context, InvoiceId request) {
        co_return co_await must(database_.find(context, storage::invoices, request.id), or_none(invoice_not_found));
    }
    task<Result<InvoicePage>> list_invoices(Context& context, ListInvoices request) {
        const int limit = request.limit ? static_cast<int>(*request.limit) : kDefaultPage;
        auto items = co_await must(
            database_.select(context, storage::invoices_after, request.user_id, request.after.value_or(""), limit + 1));
        co_return page_of<InvoicePage>(std::move(items), static_cast<std::size_t>(limit));
    }
    task<Result<Ledger>> get_ledger(Context& context, Empty) {
        co_return ledger_of(co_await must(database_.select(context, storage::accounts)));
    }

private:
    Database& database_;
    PaymentProvider& provider_;
};

} // namespace

void install(Host& host) {
    using namespace storage;
    auto& database =
        host.database(migrations, {payments, refund_keys, transfers, debit, credit, accounts, invoices, last_number,
                                   invoices_after, sandbox_effects, sandbox_effects_of, sandbox_cards});
    auto& provider = host.own<SandboxProvider>(database);
    auto& payments =
        host.own<Payments>(database, provider,
                           Events{host.publishes(authorized), host.publishes(declined), host.publishes(captured),
                                  host.publishes(cancelled), host.publishes(refunded), host.publishes(invoice_issued)},
                           host.log(), host.settings<Settings>());
    auto& desk = host.own<Desk>(database, provider);
    host.serve(authorize, &Payments::authorize, payments);
    host.serve(get, &Payments::get, payments);
    host.serve(capture, &Payments::capture, payments);
    host.serve(cancel, &Payments::cancel, payments);
    host.serve(refund, &Payments::refund, payments);
    host.perform(settle_operation, &Payments::settle_later, payments);
    host.serve(add_card, &Desk::add_card, desk);
    host.serve(get_invoice, &Desk::get_invoice, desk);
    host.serve(list_invoices, &Desk::list_invoices, desk);
    host.serve(get_ledger, &Desk::get_ledger, desk);
}

} // namespace payment
