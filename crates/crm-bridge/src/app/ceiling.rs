//! A ceiling over all operators together: how many different customers the whole helpdesk may see in an hour. Budgets are
//! an operator's own; a ticket service that was taken over can invent operators, and then this is what is left.
//!
//! Counted in this process, so that it needs neither the database nor what budgets are made of.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use service_kit::Timestamp;

const HOUR_MS: i64 = 3_600_000;

/// Counts different customers, by full hours of the clock.
#[derive(Debug)]
pub struct Ceiling {
    customers_max: usize,
    hasher: RandomState,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    hour: i64,
    customers: HashSet<u64>,
}

impl Ceiling {
    /// At most so many different customers an hour.
    #[must_use]
    pub fn new(customers_max: usize) -> Self {
        Self { customers_max, hasher: RandomState::new(), seen: Mutex::default() }
    }

    /// Counts a customer; if there is no place left in this hour, answers for how many milliseconds.
    pub(super) fn reached(&self, customer_ref: &str, now: Timestamp) -> Option<i64> {
        let hour = now.ms().div_euclid(HOUR_MS);
        let customer = self.hasher.hash_one(customer_ref);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back is no new hour.
        if hour > seen.hour {
            seen.hour = hour;
            seen.customers.clear();
        }
        if seen.customers.contains(&customer) {
            return None;
        }
        if seen.customers.len() >= self.customers_max {
            return Some((seen.hour + 1) * HOUR_MS - now.ms());
        }
        seen.customers.insert(customer);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_different_customers_an_hour_and_no_more() {
        let at = |ms| Timestamp::from_ms(ms);
        let ceiling = Ceiling::new(2);
        assert_eq!(ceiling.reached("cus_a", at(1_000)), None);
        assert_eq!(ceiling.reached("cus_b", at(2_000)), None);
        assert_eq!(ceiling.reached("cus_a", at(3_000)), None, "known ones cost nothing");
        assert_eq!(ceiling.reached("cus_c", at(4_000)), Some(HOUR_MS - 4_000));
        assert_eq!(ceiling.reached("cus_c", at(HOUR_MS)), None, "the next hour");
        assert_eq!(ceiling.reached("cus_d", at(HOUR_MS - 1)), None, "back in time");
        assert!(ceiling.reached("cus_e", at(HOUR_MS - 1)).is_some());
    }
}
