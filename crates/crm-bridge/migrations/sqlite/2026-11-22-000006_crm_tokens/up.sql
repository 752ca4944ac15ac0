-- The keys of a CRM that change with each use, sealed. One process at a time may change them.
CREATE TABLE crm_tokens (
    source TEXT PRIMARY KEY NOT NULL,
    sealed BLOB,
    generation BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'asking', 'spent')),
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
