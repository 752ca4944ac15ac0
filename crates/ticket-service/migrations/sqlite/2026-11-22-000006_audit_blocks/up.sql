-- In which blocks of 256 entries of the audit log a customer is, so that an erasure finds them. An index over all entries would be
-- written to with every look, at another place for each customer.
CREATE TABLE audit_customers (
    customer_ref TEXT NOT NULL,
    block BIGINT NOT NULL,
    PRIMARY KEY (customer_ref, block)
) WITHOUT ROWID;
INSERT INTO audit_customers (customer_ref, block)
SELECT DISTINCT customer_ref, seq / 256 FROM audit_log WHERE customer_ref IS NOT NULL;
DROP INDEX audit_log_by_customer;
