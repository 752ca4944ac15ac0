CREATE INDEX audit_log_by_customer ON audit_log (customer_ref) WHERE customer_ref IS NOT NULL;
DROP TABLE audit_customers;
