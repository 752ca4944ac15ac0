-- Tickets as the CRM may read them: only what the ticket policy lists is filled in.
CREATE TABLE tickets (
    ticket BIGINT PRIMARY KEY NOT NULL,
    -- Whose it is; empty once it is nobody's. The row stays, so that old news is known to be old.
    customer_ref TEXT REFERENCES customers (customer_ref),
    -- The ticket's last event that was taken.
    sequence BIGINT NOT NULL,
    subject TEXT,
    status TEXT,
    priority TEXT,
    line BIGINT,
    created_at BIGINT,
    updated_at BIGINT,
    resolved_at BIGINT,
    rating BIGINT,
    public_messages BIGINT
);
CREATE INDEX tickets_by_customer ON tickets (customer_ref, ticket);

-- What the CRM is told, in the order in which it was taken.
CREATE TABLE ticket_feed (
    seq BIGINT PRIMARY KEY NOT NULL,
    ticket BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    customer_ref TEXT NOT NULL REFERENCES customers (customer_ref),
    change TEXT NOT NULL,
    at BIGINT NOT NULL,
    subject TEXT,
    status TEXT,
    priority TEXT,
    line BIGINT,
    created_at BIGINT,
    updated_at BIGINT,
    resolved_at BIGINT,
    rating BIGINT,
    public_messages BIGINT
);
CREATE INDEX ticket_feed_by_time ON ticket_feed (at);

-- One row: the last number of the feed, and the last one that was forgotten. Whoever writes to the feed takes this row
-- first, so that numbers become visible in their order.
CREATE TABLE ticket_feed_head (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    last BIGINT NOT NULL,
    forgotten BIGINT NOT NULL
);
INSERT INTO ticket_feed_head (id, last, forgotten) VALUES (1, 0, 0);

-- Keys of the CRM. Of the secret only SHA-256 is kept.
CREATE TABLE crm_keys (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
);

-- Tickets that the CRM has ordered. The text of an order is not kept; its fingerprint tells another one under its key.
CREATE TABLE crm_orders (
    key_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    order_id TEXT NOT NULL,
    customer_ref TEXT NOT NULL REFERENCES customers (customer_ref),
    ticket BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, idempotency_key)
);
CREATE INDEX crm_orders_by_customer ON crm_orders (customer_ref, created_at);
CREATE INDEX crm_orders_by_age ON crm_orders (created_at);

-- Where events go.
CREATE TABLE crm_webhooks (
    id TEXT PRIMARY KEY NOT NULL,
    url TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    stopped_at BIGINT,
    stopped_why TEXT
);

-- What has yet to be delivered. A row goes when it was; one that is dead waits for people and holds back what comes after
-- it for the same ticket.
CREATE TABLE deliveries (
    target TEXT NOT NULL,
    seq BIGINT NOT NULL,
    ticket BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at BIGINT NOT NULL,
    claimed_until BIGINT,
    dead BOOLEAN NOT NULL,
    last_error TEXT,
    PRIMARY KEY (target, seq)
);
CREATE INDEX deliveries_by_lane ON deliveries (target, ticket, seq);
CREATE INDEX deliveries_by_time ON deliveries (dead, next_at);
