-- Where the chain ends; one row. On PostgreSQL whoever writes the log holds it until the commit, so that several nodes
-- write one chain.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    service TEXT NOT NULL,
    chain TEXT NOT NULL,
    key TEXT NOT NULL,
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    mac TEXT NOT NULL
);

-- Who did what to what, each entry chained to the one before it (crate audit-chain). Names of fields, never values.
CREATE TABLE audit_log (
    seq BIGINT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    ticket BIGINT,
    -- Value and salt go when the customer is erased; the seal, which the chain binds, stays.
    customer_ref TEXT,
    ref_salt TEXT,
    ref_seal TEXT,
    details TEXT NOT NULL,
    policy TEXT,
    request_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    mac TEXT NOT NULL
);
CREATE INDEX audit_log_by_customer ON audit_log (customer_ref) WHERE customer_ref IS NOT NULL;
CREATE INDEX audit_log_by_actor ON audit_log (actor, seq);
CREATE INDEX audit_log_by_action ON audit_log (action, seq);
CREATE INDEX audit_log_by_ticket ON audit_log (ticket, seq) WHERE ticket IS NOT NULL;

-- Append-only, but for an erasure. This keeps accidents away; for the owner of the database there is the chain.
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log FOR EACH ROW
WHEN (NEW.customer_ref IS NOT NULL OR NEW.ref_salt IS NOT NULL
    OR (NEW.seq, NEW.at, NEW.actor, NEW.action, NEW.details, NEW.request_id, NEW.hash, NEW.mac)
        IS DISTINCT FROM (OLD.seq, OLD.at, OLD.actor, OLD.action, OLD.details, OLD.request_id, OLD.hash, OLD.mac)
    OR NEW.ticket IS DISTINCT FROM OLD.ticket OR NEW.policy IS DISTINCT FROM OLD.policy
    OR NEW.ref_seal IS DISTINCT FROM OLD.ref_seal)
EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_is_not_deleted BEFORE DELETE ON audit_log
FOR EACH ROW EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_is_not_cut BEFORE TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
