DROP TABLE deliveries;
DROP TABLE crm_webhooks;
DROP TABLE crm_orders;
DROP TABLE crm_keys;
DROP TABLE ticket_feed_head;
DROP TABLE ticket_feed;
DROP TABLE tickets;
