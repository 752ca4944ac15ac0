//! The shape of the house, kept by tests: which crate may use which, which file may name what, and what the ticket
//! database has room for.
#![expect(clippy::unwrap_used, clippy::panic, reason = "all of it is tests")]

mod arrows;
mod schema;
mod source;
