//! What the demo, the tests and the benchmarks share: starting services, PostgreSQL, Tryton, Chromium.
//!
//! Everything here is blocking and stops what it started when it is dropped.

mod chromium;
mod client;
mod customers;
mod database;
mod install;
pub mod load;
mod people;
mod postgres;
mod process;
mod secrets;
mod stack;
mod tryton;
pub mod workspace;

pub use chromium::chromium;
pub use client::{Answer, Client};
pub use customers::Customer;
pub use database::StackDatabase;
pub use install::{apt_install, can_install};
pub use people::SignIn;
pub use postgres::{Durability, Postgres, find_binaries as find_postgres};
pub use process::{Launch, Service};
pub use stack::{CrmKind, Detour, Stack, StackBuilder};
pub use tryton::{DATABASE as TRYTON_DATABASE, RunningTryton, Tryton, TrytonCustomer, TrytonFacts};
pub use ureq::http::Method;
