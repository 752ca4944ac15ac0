//! What the demo, the tests and the benchmarks share: starting services, PostgreSQL, Tryton, Chromium.
//!
//! Everything here is blocking and stops what it started when it is dropped.

mod postgres;
mod process;

pub use postgres::{Durability, Postgres};
pub use process::{Launch, Service};
