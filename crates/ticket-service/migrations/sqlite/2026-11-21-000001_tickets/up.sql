-- People of support.
CREATE TABLE operators (
    id TEXT PRIMARY KEY NOT NULL,
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('line1', 'line2', 'line3', 'supervisor', 'admin')),
    password_hash TEXT NOT NULL,
    locale TEXT CHECK (locale IN ('en', 'ru')),
    active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY NOT NULL,
    operator_id TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_operator ON sessions (operator_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('line1', 'line2', 'line3', 'supervisor', 'admin')),
    scopes TEXT NOT NULL,
    created_by TEXT NOT NULL REFERENCES operators (id),
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE queues (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    active BOOLEAN NOT NULL
);

-- Who asks. What customers themselves send is support's own data; nothing here comes out of the CRM.
CREATE TABLE requesters (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL UNIQUE,
    phone TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE tickets (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    subject TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('new', 'open', 'waiting_customer', 'waiting_third_party', 'resolved', 'closed')),
    is_open BOOLEAN NOT NULL,
    priority TEXT NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    priority_rank INTEGER NOT NULL,
    line INTEGER NOT NULL CHECK (line BETWEEN 1 AND 3),
    queue_id TEXT NOT NULL REFERENCES queues (id),
    assignee_id TEXT REFERENCES operators (id),
    requester_id TEXT NOT NULL REFERENCES requesters (id),
    channel TEXT NOT NULL CHECK (channel IN ('web_form', 'api', 'operator')),
    -- A JSON list of the tags, for reading a list without a second query; ticket_tags is for filtering.
    tags TEXT NOT NULL,
    customer_state TEXT NOT NULL CHECK (customer_state IN ('pending', 'linked', 'several', 'none', 'erased')),
    -- Opaque, minted by the bridge. The only thing about a customer that the ticket service keeps.
    customer_ref TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_message_at BIGINT NOT NULL,
    last_request_at BIGINT NOT NULL,
    resolved_at BIGINT,
    version BIGINT NOT NULL
);
-- One index for each order of a list within a line, and within a line and assignee (nobody included): a page is read
-- from the few indexes that it needs, in order, and never sorted. See store/pages.rs.
CREATE INDEX tickets_by_line_updated ON tickets (line, is_open, updated_at, number);
CREATE INDEX tickets_by_line_created ON tickets (line, is_open, number);
CREATE INDEX tickets_by_line_priority ON tickets (line, is_open, priority_rank, number);
CREATE INDEX tickets_by_assignee_updated ON tickets (assignee_id, line, is_open, updated_at, number);
CREATE INDEX tickets_by_assignee_created ON tickets (assignee_id, line, is_open, number);
CREATE INDEX tickets_by_assignee_priority ON tickets (assignee_id, line, is_open, priority_rank, number);
-- Of a queue and of a requester in the usual order; in another order they are sorted.
CREATE INDEX tickets_by_queue ON tickets (queue_id, line, is_open, updated_at, number);
CREATE INDEX tickets_by_requester ON tickets (requester_id, line, is_open, updated_at, number);
CREATE INDEX tickets_by_customer ON tickets (customer_ref, number);
CREATE INDEX tickets_by_resolved ON tickets (status, resolved_at);

CREATE TABLE ticket_tags (
    tag TEXT NOT NULL,
    ticket BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    PRIMARY KEY (tag, ticket)
);
CREATE INDEX ticket_tags_by_ticket ON ticket_tags (ticket);

-- Candidates of which an operator chooses one.
CREATE TABLE customer_candidates (
    ticket BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    customer_ref TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (ticket, customer_ref)
);

CREATE TABLE ticket_reads (
    operator_id TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    ticket BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (operator_id, ticket)
);
CREATE INDEX ticket_reads_by_ticket ON ticket_reads (ticket);

CREATE TABLE messages (
    id TEXT PRIMARY KEY NOT NULL,
    ticket BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('request', 'answer', 'note')),
    operator_id TEXT REFERENCES operators (id),
    -- The name at the time of writing; for keys and the service itself the only name there is.
    author_name TEXT NOT NULL,
    html TEXT NOT NULL,
    plain TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('web_form', 'api', 'operator')),
    created_at BIGINT NOT NULL
);
CREATE INDEX messages_by_ticket ON messages (ticket, id);

CREATE TABLE attachments (
    id TEXT PRIMARY KEY NOT NULL,
    -- Both empty until the message is sent; then the ticket decides who may read the file.
    ticket BIGINT REFERENCES tickets (number) ON DELETE CASCADE,
    message_id TEXT REFERENCES messages (id) ON DELETE CASCADE,
    uploaded_by TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX attachments_by_message ON attachments (message_id);
CREATE INDEX attachments_by_ticket ON attachments (ticket);
CREATE INDEX attachments_by_age ON attachments (created_at);

-- The history: one row per change, never altered.
CREATE TABLE ticket_events (
    id TEXT PRIMARY KEY NOT NULL,
    ticket BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('operator', 'api_key', 'requester', 'system')),
    actor_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    changes TEXT NOT NULL,
    note TEXT
);
CREATE INDEX ticket_events_by_ticket ON ticket_events (ticket, id);

-- How many open tickets there are, kept as they change; nothing is ever counted.
CREATE TABLE open_counts (
    line INTEGER NOT NULL,
    assignee_id TEXT NOT NULL,
    tickets BIGINT NOT NULL,
    PRIMARY KEY (line, assignee_id)
);

CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Work to do outside a request, queued in the transaction that caused it.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    claimed_by TEXT,
    claimed_until BIGINT,
    last_error TEXT,
    dead BOOLEAN NOT NULL
);
CREATE INDEX jobs_by_time ON jobs (dead, run_at);
-- Few jobs are claimed at a time: the next lease to end is found without looking at those that wait.
CREATE INDEX jobs_by_lease ON jobs (dead, claimed_until) WHERE claimed_until IS NOT NULL;

-- Numbers begin where they look like ticket numbers.
INSERT INTO sqlite_sequence (name, seq) VALUES ('tickets', 10000);

-- One document per ticket; the row id is the ticket number.
CREATE VIRTUAL TABLE ticket_search USING fts5 (subject, people, body, tokenize = 'unicode61 remove_diacritics 2');
