CREATE TABLE order_list_1 (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    items TEXT NOT NULL,
    total BIGINT NOT NULL,
    status TEXT NOT NULL,
    progress TEXT NOT NULL,
    reason TEXT,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX order_list_1_by_user ON order_list_1 (user_id, created_at, id);
