-- At which address the CRM is whose ids stand in `customers`: at another one they may be other people's.
CREATE TABLE crm_addresses (
    source TEXT PRIMARY KEY NOT NULL,
    -- Host and port, for people.
    host TEXT NOT NULL,
    -- SHA-256 of the whole address, hex.
    address TEXT NOT NULL,
    noted_at BIGINT NOT NULL
);
