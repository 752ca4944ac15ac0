DROP TABLE ticket_outbox;
