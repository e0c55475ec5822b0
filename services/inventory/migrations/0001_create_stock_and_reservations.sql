CREATE TABLE stock (
    product_id TEXT PRIMARY KEY,
    available BIGINT NOT NULL CHECK (available >= 0),
    reserved BIGINT NOT NULL CHECK (reserved >= 0),
    version BIGINT NOT NULL
);
CREATE TABLE reservations (
    order_id TEXT PRIMARY KEY,
    items TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    finished_at BIGINT,
    version BIGINT NOT NULL
);
CREATE INDEX reservations_held ON reservations (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX reservations_finished ON reservations (finished_at) WHERE finished_at IS NOT NULL;
