DROP TABLE mirror_addresses;
DROP TABLE mirror_blocks;
DELETE FROM mirror;
DELETE FROM feeds;
DROP INDEX IF EXISTS mirror_by_id;
CREATE TABLE mirror_addresses (
    address BIGINT NOT NULL,
    position BIGINT NOT NULL
);
