//! The ticket service seen from outside: over HTTP, on both databases.

#[cfg(test)]
mod access;
#[cfg(test)]
mod agreed_keys;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod files;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod live;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod oversight;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod support;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod tell_bridge;
#[cfg(test)]
mod tickets;
#[cfg(test)]
mod window;
