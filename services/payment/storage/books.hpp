#pragma once

#include <flotilla/store/transaction.hpp>

#include "services/payment/domain/books.hpp"

namespace payment::storage {

/// Moves a fact's money between the accounts, once per operation: a second time is an error that ends the transaction.
/// `line`: how many transfers the operation has made before; returns how many it has made then.
int post(Transaction& tx, const std::string& operation, const std::string& order_id, const Fact& fact, int line);

/// Issues the document of a fact under the next number. Within a transaction nobody else gets that one, and one that is
/// rolled back leaves no hole.
Invoice issue(Transaction& tx, const PaymentRecord& payment, const Fact& fact);

} // namespace payment::storage
