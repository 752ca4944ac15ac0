//! What looks like somebody trying doors. Five plain rules, each a count with a limit that a supervisor can check by hand;
//! none blocks anybody.

use bridge_contract::NoticeKind;
use serde::Deserialize;
use service_kit::Timestamp;

/// From where on something is an anomaly. 0 switches a rule off.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Addresses that one operator looks up in an hour and that nobody in the CRM has.
    pub misses_hour_max: u32,
    /// The same for all new tickets together: a flood at the public form.
    pub form_misses_hour_max: u32,
    /// Cards of neighbouring ticket numbers in a row.
    pub neighbours_max: u32,
    /// With at most so long between one and the next.
    pub neighbours_gap_s: u32,
    /// Masked fields shown in clear in an hour.
    pub reveals_hour_max: u32,
    /// Customers of other tickets, or made-up ones, asked for in an hour.
    pub unknown_hour_max: u32,
    /// Cards outside of the usual hours in a day.
    pub outside_day_max: u32,
}

impl Thresholds {
    /// The limit of a rule; 0 if the rule is off or is no rule of the bridge.
    #[must_use]
    pub fn of(&self, rule: NoticeKind) -> u32 {
        match rule {
            NoticeKind::ResolveMisses => self.misses_hour_max,
            NoticeKind::NeighbouringTickets => self.neighbours_max,
            NoticeKind::RevealsInSeries => self.reveals_hour_max,
            NoticeKind::UnknownCustomers => self.unknown_hour_max,
            NoticeKind::OutsideHours => self.outside_day_max,
            _ => 0,
        }
    }
}

/// What a rule remembers of one operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// From when on it is counted.
    pub since: Timestamp,
    /// When it was counted last.
    pub last_at: Timestamp,
    /// The ticket of that time.
    pub last_ticket: i64,
    /// How many.
    pub counted: u32,
}

impl Tally {
    /// The first of its kind.
    fn first(since: Timestamp, at: Timestamp, ticket: i64) -> Self {
        Self { since, last_at: at, last_ticket: ticket, counted: 1 }
    }
}

/// One more in a window that began at `start`.
#[must_use]
pub fn one_more(before: Option<Tally>, start: Timestamp, at: Timestamp, ticket: i64) -> Tally {
    match before {
        Some(tally) if tally.since == start => {
            Tally { last_at: at, last_ticket: ticket, counted: tally.counted.saturating_add(1), ..tally }
        }
        _ => Tally::first(start, at, ticket),
    }
}

/// One more card: the row goes on if the ticket's number is next to the last one's and not long after it.
#[must_use]
pub fn next_in_row(before: Option<Tally>, at: Timestamp, ticket: i64, gap_ms: i64) -> Tally {
    match before {
        Some(tally) if at.since_ms(tally.last_at) <= gap_ms && tally.last_ticket.abs_diff(ticket) == 1 => {
            Tally { last_at: at, last_ticket: ticket, counted: tally.counted.saturating_add(1), ..tally }
        }
        Some(tally) if at.since_ms(tally.last_at) <= gap_ms && tally.last_ticket == ticket => {
            Tally { last_at: at, ..tally }
        }
        _ => Tally::first(at, at, ticket),
    }
}

/// Whether the limit is passed just now. Told once: the next one is one too many, too, but no news.
#[must_use]
pub fn passes(before: Option<Tally>, after: Tally, max: u32) -> bool {
    let counted_before = before.filter(|tally| tally.since == after.since).map_or(0, |tally| tally.counted);
    max > 0 && after.counted > max && counted_before <= max
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1_000)
    }

    /// The instants at which the rule speaks.
    fn told(looks: &[(i64, i64)], max: u32) -> Vec<i64> {
        let (mut tally, mut told) = (None, vec![]);
        for &(second, ticket) in looks {
            let after = next_in_row(tally, at(second), ticket, 60_000);
            if passes(tally, after, max) {
                told.push(second);
            }
            tally = Some(after);
        }
        told
    }

    #[test]
    fn neighbouring_tickets_in_quick_succession_are_told_once() {
        let walk: Vec<_> = (0..6).map(|i| (i * 10, 100 + i)).collect();
        assert_eq!(told(&walk, 3), [30], "the fourth is one too many, and the fifth is no news");
        let backwards: Vec<_> = (0..6).map(|i| (i * 10, 100 - i)).collect();
        assert_eq!(told(&backwards, 3), [30]);
    }

    #[test]
    fn work_at_ones_own_pace_or_across_the_list_is_no_anomaly() {
        let slow: Vec<_> = (0..6).map(|i| (i * 61, 100 + i)).collect();
        assert_eq!(told(&slow, 3), [] as [i64; 0]);
        let scattered: Vec<_> = (0..6).map(|i| (i * 10, 100 + i * 2)).collect();
        assert_eq!(told(&scattered, 3), [] as [i64; 0]);
        let again: Vec<_> = (0..6).map(|i| (i * 10, 100)).collect();
        assert_eq!(told(&again, 3), [] as [i64; 0], "the same ticket over and over is one ticket");
    }

    #[test]
    fn a_window_counts_from_one_again() {
        let first = one_more(None, at(0), at(5), 1);
        let second = one_more(Some(first), at(0), at(6), 1);
        assert_eq!((first.counted, second.counted), (1, 2));
        assert_eq!(one_more(Some(second), at(3_600), at(3_601), 1).counted, 1);
        assert!(
            passes(Some(first), second, 1)
                && !passes(Some(first), second, 2)
                && !passes(Some(first), second, 0)
        );
    }
}
