//! The promises of db-kit, kept on real databases.

// `cfg(test)` tells clippy that helpers, too, are test code.
#[cfg(test)]
mod contract;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod support;
