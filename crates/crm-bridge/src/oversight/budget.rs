//! Viewing budgets: how many different customers one operator has looked at in this hour and this day, and whether one
//! more may be shown. Pure; `store/oversight` does the counting.

use bridge_contract::{AsOf, BudgetState, BudgetWindow, Count};
use serde::Deserialize;
use service_kit::Timestamp;

use super::window::Windows;

/// The budget of a role: different customers. Beyond soft the supervisor is told, beyond hard nothing is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// In an hour, before the supervisor is told.
    pub hour_soft: u32,
    /// In an hour, at most.
    pub hour_hard: u32,
    /// In a day, before the supervisor is told.
    pub day_soft: u32,
    /// In a day, at most.
    pub day_hard: u32,
}

impl Limits {
    /// Whether they make sense.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(self) -> Result<(), &'static str> {
        if self.hour_hard == 0 || self.day_hard == 0 {
            return Err(
                "a hard limit is at least 1; to show no cards at all, leave the role out of the field policy",
            );
        }
        if self.hour_soft > self.hour_hard || self.day_soft > self.day_hard {
            return Err("a soft limit is not above its hard limit");
        }
        if self.hour_hard > self.day_hard {
            return Err("hour_hard is not above day_hard");
        }
        if self.day_hard > bridge_contract::COUNT_MAX {
            return Err("a limit is at most 100000");
        }
        Ok(())
    }

    /// The stricter of both, limit by limit. Whoever changes role keeps the smaller budget until the day ends, so that
    /// another role's grant widens nothing.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            hour_soft: self.hour_soft.min(other.hour_soft),
            hour_hard: self.hour_hard.min(other.hour_hard),
            day_soft: self.day_soft.min(other.day_soft),
            day_hard: self.day_hard.min(other.day_hard),
        }
    }
}

/// What one operator has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Different customers in this hour.
    pub hour: u32,
    /// Different customers in this day.
    pub day: u32,
    /// Customers in this day for whom the glass was broken.
    pub glass: u32,
}

/// Whether the operator has looked at this customer before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// In this hour.
    pub this_hour: bool,
    /// In this day.
    pub today: bool,
}

/// What a look costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: this customer is counted already.
    Free,
    /// A place in the hour, in the day, or in both.
    Costs {
        /// In the hour.
        hour: bool,
        /// In the day.
        day: bool,
        /// One of the few places beyond the budget, too.
        glass: bool,
    },
    /// The budget is spent.
    Spent(BudgetWindow),
    /// The budget is spent, and so are the places beyond it.
    GlassSpent,
}

/// What one more look at a customer costs.
#[must_use]
pub fn verdict(limits: Limits, used: Used, seen: Seen, with_reason: Option<u32>) -> Verdict {
    let (hour, day) = (!seen.this_hour, !seen.today);
    if !hour && !day {
        return Verdict::Free;
    }
    let spent = if day && used.day >= limits.day_hard {
        Some(BudgetWindow::Day)
    } else if hour && used.hour >= limits.hour_hard {
        Some(BudgetWindow::Hour)
    } else {
        None
    };
    match (spent, with_reason) {
        (None, _) => Verdict::Costs { hour, day, glass: false },
        (Some(window), None) => Verdict::Spent(window),
        (Some(_), Some(glass_max)) if used.glass >= glass_max => Verdict::GlassSpent,
        (Some(_), Some(_)) => Verdict::Costs { hour, day, glass: true },
    }
}

/// One operator before one customer at one instant: what the look costs, and what is used before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What the look costs.
    pub verdict: Verdict,
    /// What is used without it.
    pub used: Used,
    /// The limits that hold.
    pub limits: Limits,
    /// The hour and the day.
    pub windows: Windows,
}

impl Standing {
    /// What is used once it is shown.
    #[must_use]
    pub fn used_after(&self) -> Used {
        let Verdict::Costs { hour, day, glass } = self.verdict else { return self.used };
        Used {
            hour: self.used.hour + u32::from(hour),
            day: self.used.day + u32::from(day),
            glass: self.used.glass + u32::from(glass),
        }
    }

    /// Until when nothing more is shown; none while something is.
    #[must_use]
    pub fn closed_until(&self) -> Option<Timestamp> {
        match self.verdict {
            Verdict::Free | Verdict::Costs { .. } => None,
            Verdict::Spent(BudgetWindow::Hour) => Some(self.windows.hour_end),
            Verdict::Spent(BudgetWindow::Day) | Verdict::GlassSpent => Some(self.windows.day_end),
        }
    }

    /// What the card says of the budget: nothing until a soft limit is passed. Of both windows the one that is nearer to
    /// its end is told.
    #[must_use]
    pub fn hint(&self) -> Option<BudgetState> {
        let (used, limits) = (self.used_after(), self.limits);
        let hour = (BudgetWindow::Hour, used.hour, limits.hour_soft, limits.hour_hard, self.windows.hour_end);
        let day = (BudgetWindow::Day, used.day, limits.day_soft, limits.day_hard, self.windows.day_end);
        let passed = [hour, day].into_iter().filter(|(_, used, soft, ..)| used > soft);
        let (window, used, soft, hard, end) =
            passed.min_by_key(|(_, used, _, hard, _)| hard.saturating_sub(*used))?;
        Some(BudgetState {
            window,
            used: Count::saturating(used),
            soft: Count::saturating(soft),
            hard: Count::saturating(hard),
            resets_at: AsOf::new(end.to_string()).ok()?,
        })
    }

    /// The windows whose soft limit this very look passes, with what is used then and the limit.
    #[must_use]
    pub fn passes_soft(&self) -> Vec<(BudgetWindow, u32, u32)> {
        let (before, after, limits) = (self.used, self.used_after(), self.limits);
        let all = [
            (BudgetWindow::Hour, before.hour, after.hour, limits.hour_soft),
            (BudgetWindow::Day, before.day, after.day, limits.day_soft),
        ];
        let passed = all.into_iter().filter(|(_, before, after, soft)| before <= soft && after > soft);
        passed.map(|(window, _, after, soft)| (window, after, soft)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { hour_soft: 2, hour_hard: 3, day_soft: 4, day_hard: 5 };
    const NEW: Seen = Seen { this_hour: false, today: false };

    fn used(hour: u32, day: u32, glass: u32) -> Used {
        Used { hour, day, glass }
    }

    fn standing(verdict: Verdict, used: Used) -> Standing {
        let at = Timestamp::from_ms;
        let windows =
            Windows { hour_start: at(0), hour_end: at(3_600_000), day_start: at(0), day_end: at(86_400_000) };
        Standing { verdict, used, limits: LIMITS, windows }
    }

    #[test]
    fn a_new_customer_costs_a_place_and_a_known_one_costs_none() {
        let costs = |hour, day| Verdict::Costs { hour, day, glass: false };
        assert_eq!(verdict(LIMITS, used(0, 0, 0), NEW, None), costs(true, true));
        assert_eq!(
            verdict(LIMITS, used(3, 5, 0), Seen { this_hour: true, today: true }, None),
            Verdict::Free
        );
        // Seen this morning: the day is paid, the hour is not.
        let morning = Seen { this_hour: false, today: true };
        assert_eq!(verdict(LIMITS, used(2, 5, 0), morning, None), costs(true, false));
        assert_eq!(verdict(LIMITS, used(3, 5, 0), morning, None), Verdict::Spent(BudgetWindow::Hour));
    }

    #[test]
    fn the_last_place_is_the_hard_limit() {
        assert!(matches!(verdict(LIMITS, used(2, 2, 0), NEW, None), Verdict::Costs { .. }));
        assert_eq!(verdict(LIMITS, used(3, 3, 0), NEW, None), Verdict::Spent(BudgetWindow::Hour));
        assert_eq!(verdict(LIMITS, used(0, 5, 0), NEW, None), Verdict::Spent(BudgetWindow::Day));
        // Both: the longer wait is told.
        assert_eq!(verdict(LIMITS, used(3, 5, 0), NEW, None), Verdict::Spent(BudgetWindow::Day));
    }

    #[test]
    fn a_reason_opens_a_few_places_beyond_and_costs_none_while_there_is_budget() {
        assert_eq!(
            verdict(LIMITS, used(3, 3, 0), NEW, Some(1)),
            Verdict::Costs { hour: true, day: true, glass: true }
        );
        assert_eq!(verdict(LIMITS, used(3, 3, 1), NEW, Some(1)), Verdict::GlassSpent);
        assert_eq!(
            verdict(LIMITS, used(1, 1, 1), NEW, Some(1)),
            Verdict::Costs { hour: true, day: true, glass: false }
        );
    }

    #[test]
    fn the_hint_appears_beyond_the_soft_limit_and_tells_the_tighter_window() {
        let costs = Verdict::Costs { hour: true, day: true, glass: false };
        assert_eq!(standing(costs, used(1, 1, 0)).hint(), None);
        let hint = standing(costs, used(2, 2, 0)).hint().unwrap();
        assert_eq!((hint.window, hint.used.get(), hint.hard.get()), (BudgetWindow::Hour, 3, 3));
        let hint = standing(Verdict::Free, used(1, 5, 0)).hint().unwrap();
        assert_eq!((hint.window, hint.resets_at.as_str()), (BudgetWindow::Day, "1970-01-02T00:00:00.000Z"));
    }

    #[test]
    fn passing_a_soft_limit_is_told_once() {
        let costs = Verdict::Costs { hour: true, day: true, glass: false };
        let passes = |before| standing(costs, before).passes_soft().len();
        assert_eq!([passes(used(1, 1, 0)), passes(used(2, 2, 0)), passes(used(3, 3, 0))], [0, 1, 0]);
        assert_eq!(standing(Verdict::Free, used(3, 3, 0)).passes_soft(), []);
    }

    proptest! {
        #[test]
        fn without_a_reason_nobody_passes_a_hard_limit(hour in 0_u32..9, day in 0_u32..9, glass in 0_u32..9, this_hour: bool, today: bool) {
            let before = used(hour, day, glass);
            let seen = Seen { this_hour, today };
            let after = standing(verdict(LIMITS, before, seen, None), before).used_after();
            prop_assert!(after.hour <= LIMITS.hour_hard.max(hour) && after.day <= LIMITS.day_hard.max(day));
            prop_assert_eq!(after.glass, glass);
        }
    }
}
