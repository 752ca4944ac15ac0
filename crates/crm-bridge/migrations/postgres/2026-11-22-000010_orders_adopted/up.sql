-- The ticket that was believed to be of an order's customer because this order was still open; `ticket` is the one that the
-- ticket service named in its answer.
ALTER TABLE crm_orders ADD COLUMN adopted BIGINT;
