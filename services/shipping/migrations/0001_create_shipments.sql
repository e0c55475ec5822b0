CREATE TABLE shipments (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    status TEXT NOT NULL,
    price BIGINT NOT NULL,
    days INTEGER NOT NULL,
    history TEXT NOT NULL,
    items TEXT NOT NULL,
    address TEXT
);
CREATE TABLE carrier_tries (
    order_id TEXT PRIMARY KEY,
    tries BIGINT NOT NULL
);
