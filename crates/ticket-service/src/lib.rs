//! The helpdesk: tickets, messages, operators; knows nothing of the CRM.
