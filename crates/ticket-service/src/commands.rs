//! Groups of commands.

pub(crate) mod audit;
