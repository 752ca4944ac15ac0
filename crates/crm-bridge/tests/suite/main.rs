//! The bridge as the ticket service sees it: over HTTP, on both databases, next to a CRM that behaves or not.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod answers;
mod audit;
mod budgets;
mod cards;
mod command_line;
mod corrected;
mod crm_api;
mod crm_in_trouble;
mod followed;
mod following;
mod following_troubles;
mod gone;
mod grants;
mod graphql;
mod leaks;
mod lookups;
mod merged;
mod odd;
mod one_follows;
mod oversight;
mod pages;
mod policies;
mod presets;
mod registry;
mod schema;
mod support;
mod sync_store;
mod tls;
mod token_store;
mod tokens;
mod tryton;
mod walls;
mod wire;
mod years;
