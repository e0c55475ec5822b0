#include "services/payment/domain/books.hpp"

#include <array>
#include <charconv>

namespace payment {
namespace {

using enum Account;

constexpr std::array kAuthorized{Transfer{card_holds, card_holds_offset}};
constexpr std::array kReleased{Transfer{card_holds_offset, card_holds}};
constexpr std::array kCaptured{Transfer{customer_receivable, revenue},
                               Transfer{provider_clearing, customer_receivable}};
constexpr std::array kRefunded{Transfer{refunds, customer_receivable},
                               Transfer{customer_receivable, provider_clearing}};

std::vector<InvoiceLine> lines_of(const PaymentRecord& payment) {
    if (payment.items.empty()) return {{.description = "Order " + payment.order_id, .price = payment.amount}};
    std::vector<InvoiceLine> lines;
    for (const auto& item : payment.items)
        lines.push_back({item.product_id, item.quantity, item.price});
    return lines;
}

} // namespace

std::span<const Transfer> transfers_of(Fact::What what) {
    switch (what) {
    case Fact::What::authorized:
        return kAuthorized;
    case Fact::What::released:
        return kReleased;
    case Fact::What::captured:
        return kCaptured;
    case Fact::What::refunded:
        return kRefunded;
    case Fact::What::declined:
    case Fact::What::cancelled:
        return {};
    }
    return {};
}

Invoice document_of(const PaymentRecord& payment, const Fact& fact, std::string id, Timestamp now) {
    Invoice document{.id = std::move(id),
                     .order_id = payment.order_id,
                     .user_id = payment.user_id,
                     .total = fact.amount,
                     .issued_at = now};
    if (fact.what == Fact::What::captured) {
        document.lines = lines_of(payment);
        return document;
    }
    document.kind = DocumentKind::credit_note;
    document.corrects = payment.invoice_id;
    document.lines = {{.description = "Refund of invoice " + payment.invoice_id.value_or(""), .price = fact.amount}};
    return document;
}

std::string next_number(const std::string& last) {
    std::uint64_t number = 0;
    std::from_chars(last.data(), last.data() + last.size(), number);
    auto text = std::to_string(number + 1);
    constexpr std::size_t kDigits = 10; // so that they sort as text
    return std::string(kDigits - std::min(kDigits, text.size()), '0') + text;
}

Ledger ledger_of(std::vector<AccountSums> accounts) {
    Money debits, credits;
    for (const auto& account : accounts) {
        debits += account.debits;
        credits += account.credits;
    }
    return {.accounts = std::move(accounts), .balanced = debits == credits};
}

} // namespace payment
