-- Which customer of the CRM an opaque reference stands for.
CREATE TABLE customers (
    customer_ref TEXT PRIMARY KEY NOT NULL,
    source TEXT NOT NULL,
    crm_id TEXT NOT NULL,
    minted_at BIGINT NOT NULL,
    erased_at BIGINT,
    UNIQUE (source, crm_id)
);

-- Which customers were found under an address. The address itself is not kept, only its keyed hash.
CREATE TABLE address_links (
    address_hash BYTEA NOT NULL,
    customer_ref TEXT NOT NULL REFERENCES customers (customer_ref),
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (address_hash, customer_ref)
);
CREATE INDEX address_links_by_customer ON address_links (customer_ref);

-- Which customers were resolved for a ticket. A card is shown for such a pair only.
CREATE TABLE ticket_links (
    ticket BIGINT NOT NULL,
    customer_ref TEXT NOT NULL REFERENCES customers (customer_ref),
    resolved_at BIGINT NOT NULL,
    PRIMARY KEY (ticket, customer_ref)
);
CREATE INDEX ticket_links_by_customer ON ticket_links (customer_ref);

-- Cards as the CRM last gave them, encrypted, with an age limit.
CREATE TABLE cards (
    customer_ref TEXT PRIMARY KEY NOT NULL REFERENCES customers (customer_ref),
    sealed BYTEA NOT NULL,
    policy_hash TEXT NOT NULL,
    as_of BIGINT NOT NULL
);
CREATE INDEX cards_by_age ON cards (as_of);

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
