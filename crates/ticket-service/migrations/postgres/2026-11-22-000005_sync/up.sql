-- How far the bridge's list of erased and merged customers has been followed. One row.
CREATE TABLE customer_feed (
    id BIGINT PRIMARY KEY NOT NULL,
    after BIGINT NOT NULL
);
