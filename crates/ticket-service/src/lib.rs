//! The helpdesk: tickets, messages, operators; knows nothing of the CRM.

pub mod app;
pub mod bridge;
pub mod config;
pub mod domain;
pub mod error;
pub mod files;
pub mod http;
pub mod jobs;
pub mod server;
pub mod store;

pub use error::TicketError;
