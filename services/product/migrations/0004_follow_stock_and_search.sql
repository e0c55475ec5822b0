-- stock_version: of the inventory's latest word on the product. withdrawn: taken off sale by hand, whatever is in stock.
ALTER TABLE products ADD COLUMN stock_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE products ADD COLUMN withdrawn BOOLEAN NOT NULL DEFAULT FALSE;
CREATE TABLE product_words (
    word TEXT NOT NULL,
    product_id TEXT NOT NULL,
    PRIMARY KEY (word, product_id)
);
