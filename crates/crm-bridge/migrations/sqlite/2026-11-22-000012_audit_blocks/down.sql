DROP INDEX audit_log_by_action;
CREATE INDEX audit_log_by_action ON audit_log (action, seq);
CREATE INDEX audit_log_by_actor ON audit_log (actor, seq);
CREATE INDEX audit_log_by_customer ON audit_log (customer_ref) WHERE customer_ref IS NOT NULL;
DROP TABLE audit_customers;
