-- What the sandbox provider did, in transactions of its own: one row per key, however often it is asked.
CREATE TABLE sandbox_effects (
    key TEXT PRIMARY KEY,
    payment TEXT NOT NULL,
    operation TEXT NOT NULL,
    amount BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    made BIGINT NOT NULL,
    refused TEXT
);
CREATE INDEX sandbox_effects_by_payment ON sandbox_effects (payment);
CREATE TABLE sandbox_cards (
    token TEXT PRIMARY KEY,
    behaves_as TEXT NOT NULL,
    brand TEXT NOT NULL,
    last4 TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
