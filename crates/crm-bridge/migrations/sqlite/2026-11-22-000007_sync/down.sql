ALTER TABLE customers DROP COLUMN merged_into;
DROP TABLE customer_changes;
