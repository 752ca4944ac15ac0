//! The ticket service seen from outside: over HTTP, on both databases.

#[cfg(test)]
mod access;
#[cfg(test)]
mod support;
