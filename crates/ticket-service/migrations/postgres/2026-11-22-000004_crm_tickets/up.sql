-- What the bridge has yet to be told, in order per ticket. A row goes when the bridge has taken it.
CREATE TABLE ticket_outbox (
    ticket BIGINT NOT NULL REFERENCES tickets (number) ON DELETE CASCADE,
    -- The version of the ticket after the change.
    sequence BIGINT NOT NULL,
    -- A TicketEvent of the contract, as JSON.
    event TEXT NOT NULL,
    PRIMARY KEY (ticket, sequence)
);

-- Tickets and messages may come from the CRM, too.
ALTER TABLE tickets DROP CONSTRAINT tickets_channel_check;
ALTER TABLE tickets ADD CONSTRAINT tickets_channel_check CHECK (channel IN ('web_form', 'api', 'operator', 'crm'));
ALTER TABLE messages DROP CONSTRAINT messages_channel_check;
ALTER TABLE messages ADD CONSTRAINT messages_channel_check CHECK (channel IN ('web_form', 'api', 'operator', 'crm'));
