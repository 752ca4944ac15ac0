-- A copy that is made anew takes less work: one index less, and rows that say by themselves by what they are found.
DROP TABLE mirror_addresses;
DROP TABLE mirror;
DELETE FROM feeds;

-- One sealed card a row, in the order in which they came. Indices are made when the first copy is complete.
CREATE TABLE mirror (
    position BIGINT PRIMARY KEY NOT NULL,
    crm_id TEXT NOT NULL,
    as_of BIGINT NOT NULL,
    policy BIGINT NOT NULL,
    pass BIGINT NOT NULL,
    -- The hashes below, eight bytes each.
    addresses BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);

-- Keyed hashes of addresses and numbers, cut to 63 bits, and whose they are.
CREATE TABLE mirror_addresses (
    address BIGINT NOT NULL,
    position BIGINT NOT NULL
);
