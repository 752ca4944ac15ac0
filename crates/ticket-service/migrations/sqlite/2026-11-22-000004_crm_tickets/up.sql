-- What the bridge has yet to be told, in order per ticket. A row goes when the bridge has taken it.
CREATE TABLE ticket_outbox (
    ticket BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    -- The version of the ticket after the change.
    sequence BIGINT NOT NULL,
    -- A TicketEvent of the contract, as JSON.
    event TEXT NOT NULL,
    PRIMARY KEY (ticket, sequence)
);

-- Tickets and messages may come from the CRM, too. Rewriting the text of a CHECK is how SQLite's own manual changes one
-- (ALTER TABLE, section 7): no row is touched, and making the table above has told other connections to read it anew.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, '(channel IN (''web_form'', ''api'', ''operator''))', '(channel IN (''web_form'', ''api'', ''operator'', ''crm''))')
WHERE type = 'table' AND name IN ('tickets', 'messages');
PRAGMA writable_schema = RESET;
