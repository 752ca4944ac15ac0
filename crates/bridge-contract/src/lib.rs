//! The only types that the ticket service and the CRM bridge share.
