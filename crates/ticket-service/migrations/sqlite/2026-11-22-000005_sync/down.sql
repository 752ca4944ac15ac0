DROP TABLE customer_feed;
