//! Bad input, broken neighbours and sudden ends: each gets a problem answer with a stable code in a bounded time,
//! nothing is lost, nothing leaks.

mod audit;
mod bridge;
mod crash;
mod crm;
mod input;
