CREATE TABLE things (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    amount BIGINT NOT NULL DEFAULT 0,
    flag BOOLEAN NOT NULL DEFAULT FALSE,
    note TEXT,
    CHECK (amount >= 0)
);
CREATE TABLE parts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    thing_id TEXT NOT NULL REFERENCES things (id),
    weight DOUBLE,
    picture BLOB
);
CREATE VIRTUAL TABLE thing_search USING fts5(name);
