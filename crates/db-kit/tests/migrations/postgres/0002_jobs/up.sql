CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    worker TEXT
);
