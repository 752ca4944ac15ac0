//! A small CRM with contacts, deals and invoices, for trying out and for tests; never deployed.
