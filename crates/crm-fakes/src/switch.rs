//! Faults at will.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Asked too often, in the words of this CRM.
    Throttle,
    /// The access token that was handed out is no longer valid. Counts when a request with it is refused.
    TokenExpired,
    /// Every member comes, whatever was asked for.
    SelectionIgnored,
    /// Deals with amounts are embedded in the record.
    EmbedDeals,
    /// Records move between two pages of a list.
    PageShift,
    /// 500 with a web page that quotes a record.
    ServerError,
    /// An error that comes as 200, where this CRM has such; a 200 with a web page elsewhere.
    ErrorIn200,
    /// The next page is at another host.
    NextElsewhere,
    /// The base address in the token answer is another host.
    BaseElsewhere,
    /// An answer takes long.
    Slow,
    /// The record that a merge leaves does not list the old ids.
    MergesUntold,
    /// Companies are hidden from the bridge's user: asked for by id, they are refused.
    CompanyHidden,
    /// Somebody writes what a deal is called behind the name of its person.
    DealInName,
    /// The search still finds whom a deletion or a merge has taken.
    SearchLags,
}

#[derive(Debug, Default)]
struct State {
    on: BTreeMap<Fault, Option<u32>>,
    elsewhere: Option<String>,
    slow: Option<Duration>,
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Switch(Mutex<State>);

impl Switch {
    /// Switches a fault on for so many requests that it concerns.
    pub fn on(&self, fault: Fault, times: u32) {
        self.with(|state| state.on.insert(fault, Some(times)));
    }

    /// Switches a fault on until it is switched off.
    pub fn always(&self, fault: Fault) {
        self.with(|state| state.on.insert(fault, None));
    }

    /// Switches a fault off.
    pub fn off(&self, fault: Fault) {
        self.with(|state| state.on.remove(&fault));
    }

    /// Whether a fault is on; does not count.
    pub fn is_on(&self, fault: Fault) -> bool {
        self.with(|state| state.on.contains_key(&fault))
    }

    /// Whether a fault is on for this request, which counts.
    pub fn take(&self, fault: Fault) -> bool {
        self.with(|state| match state.on.get_mut(&fault) {
            None => false,
            Some(None) => true,
            Some(Some(left)) => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    state.on.remove(&fault);
                }
                true
            }
        })
    }

    /// The other host, scheme included.
    pub fn elsewhere(&self) -> String {
        self.with(|state| state.elsewhere.clone()).unwrap_or_else(|| "http://127.0.0.2:9".to_owned())
    }

    /// Sets the other host for [`Fault::NextElsewhere`] and [`Fault::BaseElsewhere`].
    pub fn set_elsewhere(&self, host: &str) {
        self.with(|state| state.elsewhere = Some(host.to_owned()));
    }

    /// How long a slow answer takes; two seconds unless set.
    pub fn slow(&self) -> Duration {
        self.with(|state| state.slow).unwrap_or(Duration::from_secs(2))
    }

    /// Sets how long a slow answer takes.
    pub fn set_slow(&self, time: Duration) {
        self.with(|state| state.slow = Some(time));
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_lasts_as_long_as_it_was_switched_on_for() {
        let switch = Switch::default();
        assert!(!switch.take(Fault::Throttle));
        switch.on(Fault::Throttle, 2);
        assert!(
            switch.is_on(Fault::Throttle) && switch.take(Fault::Throttle) && switch.take(Fault::Throttle)
        );
        assert!(!switch.take(Fault::Throttle));
        switch.always(Fault::Slow);
        assert!(switch.take(Fault::Slow) && switch.take(Fault::Slow));
        switch.off(Fault::Slow);
        assert!(!switch.is_on(Fault::Slow));
    }
}
