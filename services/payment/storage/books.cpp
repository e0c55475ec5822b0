#include "services/payment/storage/books.hpp"

#include "services/payment/storage/payments.hpp"

namespace payment::storage {

int post(Transaction& tx, const std::string& operation, const std::string& order_id, const Fact& fact, int line) {
    for (const auto& transfer : transfers_of(fact.what)) {
        tx.insert(transfers, {operation, line++, order_id, transfer.debit, transfer.credit, fact.amount, tx.now()});
        tx.execute(debit, transfer.debit, fact.amount);
        tx.execute(credit, transfer.credit, fact.amount);
    }
    return line;
}

Invoice issue(Transaction& tx, const PaymentRecord& payment, const Fact& fact) {
    auto document = document_of(payment, fact, next_number(tx.find(last_number).value_or("0")), tx.now());
    tx.insert(invoices, document);
    return document;
}

} // namespace payment::storage
