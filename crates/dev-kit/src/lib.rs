//! What the demo, the tests and the benchmarks share: starting services, PostgreSQL, Tryton, Chromium.
//!
//! Everything here is blocking and stops what it started when it is dropped.

mod chromium;
mod install;
mod postgres;
mod process;
mod tryton;
pub mod workspace;

pub use chromium::chromium;
pub use install::{apt_install, can_install};
pub use postgres::{Durability, Postgres, find_binaries as find_postgres};
pub use process::{Launch, Service};
pub use tryton::{DATABASE as TRYTON_DATABASE, RunningTryton, Tryton, TrytonCustomer, TrytonFacts};
