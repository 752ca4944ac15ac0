//! The only process that talks to the CRM; answers who somebody is and shows the listed fields.
//!
//! Start at [`policy`] (what support may see), then [`connector`] (how the CRM is asked and its answer read), then
//! `app` (the two questions: who is this, show the card). The five walls of DESIGN §3 are: [`connector::ask`],
//! [`connector::projection`], [`policy::value`], [`policy::view`] with the grant check in `app`, and `store`.

pub mod app;
pub mod connector;
pub mod policy;
pub mod store;
pub mod walls;
