#pragma once

#include <flotilla/contract/contract.hpp>

/// The payment service's contract. A payment has its order's id. Commands may be repeated: with the same
/// Idempotency-Key the answer is the same, and later than its record lasts the payment's own state says what was done.
namespace payment {

using namespace flotilla;

/// The forms in -ing: the provider has been asked and what it did is not known yet.
enum class Status {
    authorizing,
    authorized,
    declined,
    capturing,
    captured, ///< also when some of it was given back: see Payment::refunded
    refunding,
    refunded, ///< all of it
    voiding,
    cancelling,
    cancelled ///< also what was cancelled before anybody had authorized it
};

struct Item {
    Text<1, 200> product_id;
    Bounded<int, 1, 1000> quantity;
    Money price; ///< of one piece
};
struct Authorize {
    Text<1, 64> order_id, user_id;
    Money amount;
    std::optional<Text<1, 64>> payment_method; ///< a token, as POST /cards gives it; absent: the sandbox's good card
    std::optional<std::vector<Item>> items;    ///< the invoice's lines; absent: one line for the order
};
struct Payment {
    std::string order_id, user_id;
    Money amount, captured, refunded;
    Status status = Status::authorizing;
    std::optional<std::string> reason;     ///< why it was declined
    std::optional<std::string> invoice_id; ///< once it is captured
    Timestamp created_at;
};
struct PaymentId {
    Text<1, 64> order_id;
};
struct Refund {
    Text<1, 64> order_id;
    std::optional<Money> amount; ///< absent: all that is left
};

/// Digits, with or without spaces. Neither kept nor logged, nor repeated in an error.
struct AddCard {
    Text<1, 32> number;
    Text<1, 8> expiry; ///< MM/YY
    Text<1, 8> cvc;
};
struct Card {
    std::string token, brand, last4;
};

enum class DocumentKind { invoice, credit_note };
struct InvoiceLine {
    std::string description;
    int quantity = 1;
    Money price; ///< of one
};
struct Invoice {
    std::string id; ///< its number: invoices and credit notes count on from each other without a hole
    DocumentKind kind = DocumentKind::invoice;
    std::string order_id, user_id;
    std::optional<std::string> corrects; ///< of a credit note: the invoice
    std::vector<InvoiceLine> lines;
    Money total;
    Timestamp issued_at;
};
struct InvoiceId {
    std::string id;
};
struct ListInvoices {
    std::string user_id;
    std::optional<Bounded<int, 1, 100>> limit; ///< 20 by default
    std::optional<std::string> after;          ///< `next` of the page before
};
struct InvoicePage {
    std::vector<Invoice> items;      ///< oldest first
    std::optional<std::string> next; ///< absent on the last page
};

enum class Account { customer_receivable, provider_clearing, revenue, refunds, card_holds, card_holds_offset };
struct AccountSums {
    Account account{};
    Money debits, credits;
};
struct Ledger {
    std::vector<AccountSums> accounts;
    bool balanced = false; ///< all debits are all credits
};

/// Of all payment events but payment.declined.
struct PaymentMoved {
    std::string order_id, user_id;
    Money amount; ///< of a refund: what this one gave back
};
struct PaymentDeclined {
    std::string order_id, user_id;
    Money amount;
    std::string reason;
};
struct InvoiceIssued {
    std::string order_id, user_id, invoice_id;
    DocumentKind kind = DocumentKind::invoice;
    Money total;
};

inline constexpr ErrorCode payment_not_found{"payment_not_found", Kind::not_found, "Payment not found"};
inline constexpr ErrorCode invoice_not_found{"invoice_not_found", Kind::not_found, "Invoice not found"};
inline constexpr ErrorCode amount_out_of_range{"amount_out_of_range", Kind::invalid,
                                               "An amount of money must be between 0.01 and 1000000"};
inline constexpr ErrorCode items_total_differs{"items_total_differs", Kind::invalid,
                                               "1 to 100 items must cost together what amount says"};
inline constexpr ErrorCode invalid_payment_method{"invalid_payment_method", Kind::invalid,
                                                  "paymentMethod is not a token of POST /cards"};
inline constexpr ErrorCode invalid_card{"invalid_card", Kind::invalid, "The card's {}"};
inline constexpr ErrorCode payment_declined{"payment_declined", Kind::conflict, "The payment was declined"};
inline constexpr ErrorCode payment_cancelled{"payment_cancelled", Kind::conflict, "The payment was cancelled"};
inline constexpr ErrorCode payment_exists{"payment_exists", Kind::conflict,
                                          "The order has a payment of another user or amount"};
inline constexpr ErrorCode payment_not_captured{"payment_not_captured", Kind::conflict,
                                                "Only a captured payment is refunded"};
inline constexpr ErrorCode refund_exceeds{"refund_exceeds", Kind::conflict,
                                          "More than is left of the payment cannot be refunded"};
/// Not failed: try again, or cancel the payment.
inline constexpr ErrorCode payment_unknown{"payment_unknown", Kind::unavailable,
                                           "The payment provider has not answered; what it did is not known yet"};
inline constexpr ErrorCode provider_refused{"provider_refused", Kind::bad_gateway,
                                            "The payment provider does not give the money back: {}"};

inline constexpr Service service{"payment-service"};

/// Reserves the money on the card.
inline constexpr Endpoint<Authorize, Payment> authorize{
    service,
    Method::post,
    "/payments",
    {.success = 201,
     .idempotent = true,
     .errors = {amount_out_of_range, items_total_differs, invalid_payment_method, payment_declined, payment_cancelled,
                payment_exists, payment_unknown},
     .summary = "Authorize an order's payment"}};
inline constexpr Endpoint<PaymentId, Payment> get{
    service, Method::get, "/payments/{orderId}", {.errors = {payment_not_found}, .summary = "Get a payment"}};
/// Takes the money that was authorized, and issues the invoice.
inline constexpr Endpoint<PaymentId, Payment> capture{
    service,
    Method::post,
    "/payments/{orderId}/capture",
    {.idempotent = true,
     .errors = {payment_not_found, payment_declined, payment_cancelled, payment_unknown},
     .summary = "Capture a payment"}};
/// Releases what is authorized, gives back what is captured. Of an unknown payment it is noted, and refuses it later.
inline constexpr Endpoint<PaymentId, Payment> cancel{
    service,
    Method::post,
    "/payments/{orderId}/cancel",
    {.idempotent = true, .errors = {payment_unknown, provider_refused}, .summary = "Cancel a payment"}};
/// Each with an Idempotency-Key of its own is another refund.
inline constexpr Endpoint<Refund, Payment> refund{
    service,
    Method::post,
    "/payments/{orderId}/refund",
    {.idempotent = true,
     .errors = {payment_not_found, amount_out_of_range, payment_not_captured, payment_cancelled, refund_exceeds,
                payment_unknown, provider_refused},
     .summary = "Refund a captured payment, or some of it"}};
/// Takes no Idempotency-Key: its record has a hash of the request, from which a card's number can be guessed.
inline constexpr Endpoint<AddCard, Card> add_card{
    service,
    Method::post,
    "/cards",
    {.success = 201, .errors = {invalid_card, payment_unknown}, .summary = "Exchange a card for a token"}};
inline constexpr Endpoint<InvoiceId, Invoice> get_invoice{
    service,
    Method::get,
    "/invoices/{id}",
    {.errors = {invoice_not_found}, .summary = "Get an invoice or credit note"}};
inline constexpr Endpoint<ListInvoices, InvoicePage> list_invoices{
    service, Method::get, "/invoices", {.summary = "List a user's invoices and credit notes, oldest first"}};
inline constexpr Endpoint<Empty, Ledger> get_ledger{
    service, Method::get, "/ledger/accounts", {.summary = "The ledger's accounts and their sums"}};

inline constexpr Topic<PaymentMoved> authorized{"payment.authorized", {.key = &PaymentMoved::order_id}};
inline constexpr Topic<PaymentDeclined> declined{"payment.declined", {.key = &PaymentDeclined::order_id}};
inline constexpr Topic<PaymentMoved> captured{"payment.captured", {.key = &PaymentMoved::order_id}};
inline constexpr Topic<PaymentMoved> cancelled{"payment.cancelled", {.key = &PaymentMoved::order_id}};
inline constexpr Topic<PaymentMoved> refunded{"payment.refunded", {.key = &PaymentMoved::order_id}};
inline constexpr Topic<InvoiceIssued> invoice_issued{"invoice.issued", {.key = &InvoiceIssued::order_id}};

} // namespace payment
