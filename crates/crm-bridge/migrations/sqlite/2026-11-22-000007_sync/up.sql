-- What became of customers: the ticket service asks for these and follows them. References only.
CREATE TABLE customer_changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    customer_ref TEXT NOT NULL,
    -- The reference that stands for both after a merge; none if the customer was erased.
    into_ref TEXT
);

-- Whose record took this customer's record in.
ALTER TABLE customers ADD COLUMN merged_into TEXT;
