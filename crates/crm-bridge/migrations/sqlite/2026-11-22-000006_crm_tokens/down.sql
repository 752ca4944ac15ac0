DROP TABLE crm_tokens;
