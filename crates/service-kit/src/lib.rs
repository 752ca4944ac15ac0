//! Plumbing of both services without business: configuration, problem details, tokens, time, ids, secrets, HTTP basics.
//!
//! Nothing here knows a ticket, a customer or a database. Time, ids and randomness are values that are passed down
//! ([`Clock`], [`Ids`]), so that tests move time instead of sleeping and draw the same ids every time.

pub mod config;
pub mod http;
pub mod ids;
pub mod metrics;
pub mod problem;
pub mod rate_limit;
pub mod secret;
pub mod shutdown;
pub mod telemetry;
pub mod time;
pub mod token;

pub use ids::Ids;
pub use problem::Problem;
pub use secret::{Personal, Secret};
pub use time::{Clock, Timestamp};
