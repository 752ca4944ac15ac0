ALTER TABLE crm_orders DROP COLUMN adopted;
