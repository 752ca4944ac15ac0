-- A copy takes less work: what its customers are found by stands in sorted blocks, not in a row each.
DROP TABLE mirror_addresses;
DELETE FROM mirror;
DELETE FROM feeds;
DROP INDEX IF EXISTS mirror_by_id;

-- What the first copy found customers by: keyed hashes of addresses and numbers, cut to 63 bits, and whose they are.
CREATE TABLE mirror_blocks (
    -- How many entries are in the blocks before.
    number INTEGER PRIMARY KEY NOT NULL,
    -- The highest hash in it; none as long as the entries are as they came.
    highest BIGINT,
    -- Hash and position of each, eight bytes each.
    entries BLOB NOT NULL
);
CREATE INDEX mirror_blocks_by_highest ON mirror_blocks (highest, number);

-- The same for customers who came or changed after it.
CREATE TABLE mirror_addresses (
    address BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (address, position)
) WITHOUT ROWID;
