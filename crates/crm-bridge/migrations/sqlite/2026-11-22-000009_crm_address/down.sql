DROP TABLE crm_addresses;
