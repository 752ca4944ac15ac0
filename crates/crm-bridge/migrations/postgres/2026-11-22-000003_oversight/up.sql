-- What an operator has used of the viewing budget: one row each, with the hour and the day that it is about.
CREATE TABLE viewing_budgets (
    operator TEXT PRIMARY KEY NOT NULL,
    -- The role of the day's first look: whoever changes role keeps the stricter limits until the day ends.
    role TEXT NOT NULL CHECK (role IN ('line1', 'line2', 'line3', 'supervisor')),
    hour_at BIGINT NOT NULL,
    hour_used BIGINT NOT NULL,
    day_at BIGINT NOT NULL,
    day_used BIGINT NOT NULL,
    glass_used BIGINT NOT NULL
);

-- In which hour and day an operator was last counted for a customer: looking again is free until they end.
CREATE TABLE viewed_customers (
    operator TEXT NOT NULL,
    customer_ref TEXT NOT NULL,
    hour_at BIGINT NOT NULL,
    day_at BIGINT NOT NULL,
    ticket BIGINT NOT NULL,
    PRIMARY KEY (operator, customer_ref)
);
CREATE INDEX viewed_customers_by_day ON viewed_customers (day_at);

-- Who looked at whom, for the supervisors' page. The id sorts by time. Names of fields, never values.
CREATE TABLE looks (
    id TEXT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('card', 'reveal', 'refused')),
    operator TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('line1', 'line2', 'line3', 'supervisor')),
    ticket BIGINT NOT NULL,
    customer_ref TEXT NOT NULL,
    shown TEXT NOT NULL,
    policy BIGINT NOT NULL,
    ground TEXT CHECK (ground IN ('customer_waiting', 'incident', 'safety', 'other')),
    reason TEXT
);
CREATE INDEX looks_by_operator ON looks (operator, id);
CREATE INDEX looks_by_customer ON looks (customer_ref, id);
CREATE INDEX looks_by_ticket ON looks (ticket, id);

-- What the rules for anomalies remember of each operator; the empty name stands for the public form.
CREATE TABLE tallies (
    operator TEXT NOT NULL,
    rule TEXT NOT NULL,
    since BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    last_ticket BIGINT NOT NULL,
    counted BIGINT NOT NULL,
    PRIMARY KEY (operator, rule)
);

-- What supervisors are to know, until one of them has acknowledged it. Counted facts, no customer data.
CREATE TABLE notices (
    id TEXT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    about TEXT NOT NULL,
    is_anomaly BOOLEAN NOT NULL,
    -- What would be the same news again.
    news TEXT NOT NULL UNIQUE,
    operator TEXT,
    ticket BIGINT,
    customer_ref TEXT,
    since BIGINT NOT NULL,
    counted BIGINT NOT NULL,
    threshold BIGINT NOT NULL,
    ground TEXT,
    reason TEXT,
    acknowledged_by TEXT,
    acknowledged_at BIGINT
);
CREATE INDEX notices_open ON notices (id) WHERE acknowledged_at IS NULL;
CREATE INDEX notices_anomalies ON notices (is_anomaly, id);
