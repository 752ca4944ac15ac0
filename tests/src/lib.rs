//! Both services together: what the isolation, fault, scenario and browser tests share.
//!
//! [`desk::Desk`] is a CRM, a bridge and a ticket service as real processes with recording proxies between them;
//! [`api::Api`] talks to it as an operator would; [`markers`] and the crate `marker-search` know what must never come through
//! and how it could be disguised.

pub mod api;
pub mod browser;
pub mod crm_side;
pub mod desk;
pub mod markers;
pub mod memory;
pub mod places;
pub mod proxy;
pub mod wait;
