-- The copy of the customer base, where the policy asks for one, and the progress of following the CRM. All of it can be
-- made anew from the CRM at any time; on SQLite it is a file of its own, so that a large copy never holds up a look.

-- How far each feed is followed.
CREATE TABLE feeds (
    name TEXT PRIMARY KEY NOT NULL,
    -- first: the whole base is being copied. delta: changes are followed.
    phase TEXT NOT NULL CHECK (phase IN ('first', 'delta')),
    -- Where the page after the last one that is written begins.
    mark TEXT,
    -- Changes up to then are in.
    since BIGINT,
    -- The newest time of change seen in the run under way.
    newest BIGINT,
    run_started_at BIGINT,
    ended_well_at BIGINT,
    trouble TEXT,
    trouble_at BIGINT,
    records BIGINT NOT NULL,
    expected BIGINT,
    -- Counts the walks over the whole base; rows that the last whole walk did not see are gone.
    pass BIGINT NOT NULL,
    -- What was asked for: another policy or profile begins anew.
    plan TEXT NOT NULL
);

-- Who follows the CRM at present; one process at a time.
CREATE TABLE leases (
    name TEXT PRIMARY KEY NOT NULL,
    holder TEXT NOT NULL,
    ends_at BIGINT NOT NULL
);

-- One sealed card a row, in the order in which they came. Indices are made when the first copy is complete.
CREATE TABLE mirror (
    position BIGINT PRIMARY KEY NOT NULL,
    crm_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    as_of BIGINT NOT NULL,
    policy BIGINT NOT NULL,
    pass BIGINT NOT NULL
);

-- Keyed hashes of addresses and numbers, cut to 63 bits, and whose they are.
CREATE TABLE mirror_addresses (
    address BIGINT NOT NULL,
    position BIGINT NOT NULL
);

-- The policies under which rows of the copy were read.
CREATE TABLE mirror_policies (
    number BIGINT PRIMARY KEY NOT NULL,
    hash TEXT NOT NULL UNIQUE
);

-- Records that something said have changed: to be fetched again, once each.
CREATE TABLE hints (
    crm_id TEXT PRIMARY KEY NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    heard_at BIGINT NOT NULL
);
CREATE INDEX hints_by_time ON hints (due_at);
