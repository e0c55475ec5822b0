ALTER TABLE notifications ADD COLUMN order_id TEXT;
ALTER TABLE notifications ADD COLUMN reason TEXT;
ALTER TABLE notifications ADD COLUMN number BIGINT;
CREATE UNIQUE INDEX notifications_by_order ON notifications (order_id, kind);
CREATE UNIQUE INDEX notifications_by_number ON notifications (user_id, number);
CREATE TABLE preferences (
    user_id TEXT PRIMARY KEY,
    welcome BOOLEAN NOT NULL,
    order_confirmed BOOLEAN NOT NULL,
    order_cancelled BOOLEAN NOT NULL,
    order_dispatched BOOLEAN NOT NULL
);
-- One kind of job sends all mails; what waits goes on under its name.
UPDATE flotilla_jobs SET kind = 'send_mail' WHERE kind IN ('send_welcome', 'send_order_confirmed');
