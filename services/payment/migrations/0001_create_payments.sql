CREATE TABLE payments (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    payment_method TEXT NOT NULL,
    amount BIGINT NOT NULL,
    held BIGINT NOT NULL,
    captured BIGINT NOT NULL,
    refunded BIGINT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    items TEXT NOT NULL,
    invoice_id TEXT,
    operation TEXT,
    operation_amount BIGINT NOT NULL,
    request_key TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE ledger_accounts (
    account TEXT PRIMARY KEY,
    debits BIGINT NOT NULL,
    credits BIGINT NOT NULL
);
INSERT INTO ledger_accounts (account, debits, credits) VALUES
    ('CUSTOMER_RECEIVABLE', 0, 0), ('PROVIDER_CLEARING', 0, 0), ('REVENUE', 0, 0), ('REFUNDS', 0, 0),
    ('CARD_HOLDS', 0, 0), ('CARD_HOLDS_OFFSET', 0, 0);
-- A transfer moves its amount from one account to another; the accounts' sums move in the same transaction.
CREATE TABLE ledger_transfers (
    operation TEXT NOT NULL,
    line BIGINT NOT NULL,
    order_id TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    posted_at BIGINT NOT NULL,
    PRIMARY KEY (operation, line)
);

-- id: the number, without holes, of as many digits that they sort as text.
CREATE TABLE invoices (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    order_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    corrects TEXT,
    lines TEXT NOT NULL,
    total BIGINT NOT NULL,
    issued_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX invoices_by_user ON invoices (user_id, id);

-- The refunds that were asked for with a key, for as long as there are payments.
CREATE TABLE refund_keys (
    order_id TEXT NOT NULL,
    request_key TEXT NOT NULL,
    PRIMARY KEY (order_id, request_key)
);
