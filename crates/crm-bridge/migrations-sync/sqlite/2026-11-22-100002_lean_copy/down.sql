DROP TABLE mirror_addresses;
DROP TABLE mirror;
DELETE FROM feeds;
CREATE TABLE mirror (
    position BIGINT PRIMARY KEY NOT NULL,
    crm_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    as_of BIGINT NOT NULL,
    policy BIGINT NOT NULL,
    pass BIGINT NOT NULL
);
CREATE TABLE mirror_addresses (
    address BIGINT NOT NULL,
    position BIGINT NOT NULL
);
