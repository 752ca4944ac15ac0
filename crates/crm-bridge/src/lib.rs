//! The only process that talks to the CRM; answers who somebody is and shows the listed fields.
//!
//! Start at [`policy`] (what support may see), then [`connector`] (how the CRM is asked and its answer read), then
//! [`app`] (the two questions: who is this, show the card). The five walls of DESIGN §3 are [`connector::ask`],
//! [`connector::projection`], [`policy::value`], [`policy::view`] with the grant checks in [`app::show_card`], and
//! [`store::vault`] with [`store`].

pub mod app;
pub mod config;
pub mod connector;
pub mod deliver;
pub mod http;
pub mod jobs;
pub mod other_way;
pub mod oversight;
pub mod policy;
pub mod start;
pub mod store;
pub mod ticket_policy;
pub mod walls;

pub use store::MIGRATIONS;
