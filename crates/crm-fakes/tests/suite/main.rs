//! Each fake behaves as the facts about its CRM say, seen from the wire.

#![cfg(test)]

mod base;
mod hubspot;
mod support;
