//! How often the same caller may try; both services count alike.

pub use service_kit::rate_limit::{RateLimit, caller_of};
