DROP TABLE access_log;
DROP TABLE cards;
DROP TABLE ticket_links;
DROP TABLE address_links;
DROP TABLE customers;
DROP FUNCTION access_log_is_append_only;
