DROP TABLE audit_log;
DROP TABLE audit_head;
DROP FUNCTION audit_log_is_append_only;

-- Who saw which fields of whom, for which ticket, under which policy. Names of fields, never values.
CREATE TABLE access_log (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('card', 'reveal', 'refused')),
    operator TEXT NOT NULL,
    role TEXT NOT NULL,
    ticket BIGINT NOT NULL,
    customer_ref TEXT NOT NULL,
    shown TEXT NOT NULL,
    masked TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    as_of BIGINT,
    stale BOOLEAN NOT NULL,
    request_id TEXT NOT NULL
);
CREATE INDEX access_log_by_customer ON access_log (customer_ref, seq);
CREATE INDEX access_log_by_operator ON access_log (operator, seq);

-- Append-only: what is written stays as it is.
CREATE FUNCTION access_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the access log is append-only'; END $$;
CREATE TRIGGER access_log_is_not_changed BEFORE UPDATE OR DELETE ON access_log
FOR EACH ROW EXECUTE FUNCTION access_log_is_append_only();
CREATE TRIGGER access_log_is_not_cut BEFORE TRUNCATE ON access_log
FOR EACH STATEMENT EXECUTE FUNCTION access_log_is_append_only();
