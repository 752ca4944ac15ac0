//! The only process that talks to the CRM; answers who somebody is and shows the listed fields.
